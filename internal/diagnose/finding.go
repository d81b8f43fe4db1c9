package diagnose

import (
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// Schema names the form of a report. Fields may be added to it; none is renamed
// or removed.
const Schema = "closewait/v1"

// Report is what one diagnosis says of a host. Its JSON form is the contract
// of "closewait scan --json"; docs/json.md documents it.
type Report struct {
	Schema  string       `json:"schema"`
	Host    observe.Host `json:"host"`
	TakenAt time.Time    `json:"taken_at"`
	TookMS  float64      `json:"took_ms"`
	// Reader is how the sockets were read: "bpf" or "procfs".
	Reader string `json:"reader"`
	// IntervalS is the time between two looks, 0 for a single look.
	IntervalS float64 `json:"interval_s"`
	GraceS    float64 `json:"grace_s"`
	// Complete is false when something could not be seen; Limits says what, and
	// how to see it.
	Complete bool      `json:"complete"`
	Limits   []string  `json:"limits"`
	Totals   Totals    `json:"totals"`
	Findings []Finding `json:"findings"`
	// FullQueues are listeners whose accept queue is full and of which no finding speaks.
	FullQueues []FullQueue `json:"full_queues,omitempty"`
}

// Totals counts sockets over all namespaces.
type Totals struct {
	TCP        int `json:"tcp"`
	Namespaces int `json:"namespaces"`
	CloseWait  int `json:"close_wait"`
	FinWait2   int `json:"fin_wait_2"`
	Masked     int `json:"masked"`
	// Stuck counts the sockets of all stuck findings, and NotStuck those of the
	// others.
	Stuck    int `json:"stuck"`
	NotStuck int `json:"not_stuck"`
}

// Confidence says whether another explanation fits the same evidence.
type Confidence string

// The two confidences.
const (
	Certain Confidence = "certain"
	Likely  Confidence = "likely"
)

// Severity orders findings for a reader.
type Severity string

// The severities, mildest first.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Direction says which side opened the connections.
type Direction string

// The directions.
const (
	Inbound          Direction = "inbound"
	Outbound         Direction = "outbound"
	DirectionUnknown Direction = "unknown"
)

// Finding is one group of sockets: same owner, cause, state, direction and
// service.
type Finding struct {
	// ID stays the same from run to run while the group lives.
	ID         string     `json:"id"`
	Cause      Cause      `json:"cause"`
	Stuck      bool       `json:"stuck"`
	Confidence Confidence `json:"confidence"`
	Severity   Severity   `json:"severity"`
	State      tcp.State  `json:"state"`
	Count      int        `json:"count"`
	// Younger counts members of the same group that are not stuck only because
	// they are younger than the grace period; they are a finding of their own.
	Younger int `json:"younger,omitempty"`
	// Owner is nil when no process holds the sockets; for never-accepted it is
	// the listener's process.
	Owner      *Owner    `json:"owner"`
	AlsoHeldBy []int     `json:"also_held_by,omitempty"`
	NetNS      NetNS     `json:"netns"`
	Direction  Direction `json:"direction"`
	Local      string    `json:"local"`
	Remote     string    `json:"remote"`
	// PeerHolds: all other ends are on this host, and programs have them still: they have
	// ended their side only.
	PeerHolds     bool           `json:"peer_holds,omitempty"`
	Oldest        Age            `json:"oldest"`
	Newest        Age            `json:"newest"`
	Since         *time.Time     `json:"since"`
	GrowthPerHour *float64       `json:"growth_per_hour"`
	GrowthBasis   GrowthBasis    `json:"growth_basis"`
	Outlook       Outlook        `json:"outlook"`
	Outlooks      map[Ending]int `json:"outlooks"`
	Exhaustion    *Exhaustion    `json:"exhaustion"`
	Related       []string       `json:"related,omitempty"`
	Evidence      []Evidence     `json:"evidence"`
	// OpenedBy, ReadBy and ZeroBy are the stacks, innermost frame first, of who
	// opened the connections, first read from them, and first read zero; absent
	// where no sensor saw it.
	OpenedBy []observe.Frame `json:"opened_by,omitempty"`
	ReadBy   []observe.Frame `json:"read_by,omitempty"`
	ZeroBy   []observe.Frame `json:"zero_by,omitempty"`
	Advice   Advice          `json:"advice"`
	Sockets  []SocketDetail  `json:"sockets,omitempty"`
}

// Owner is one program: all processes that run the same executable under the
// same title in one container and network namespace.
type Owner struct {
	// PID is the process that holds the most of the group.
	PID  int        `json:"pid"`
	PIDs []OwnerPID `json:"pids"`
	// Title is what the program calls itself: argv[0] where a program rewrote it.
	Title     string     `json:"title,omitempty"`
	Comm      string     `json:"comm,omitempty"`
	Exe       string     `json:"exe,omitempty"`
	Cmdline   string     `json:"cmdline,omitempty"`
	UID       uint32     `json:"uid"`
	StartedAt *time.Time `json:"started_at,omitempty"`
	Threads   int        `json:"threads,omitempty"`
	// Container is the container's id; Runtime what runs it ("docker", "cri-o",
	// "containerd", "podman", "lxc", …).
	Container string `json:"container,omitempty"`
	Runtime   string `json:"runtime,omitempty"`
	// Pod is the Kubernetes pod's uid; Unit the systemd unit.
	Pod    string `json:"pod,omitempty"`
	Unit   string `json:"unit,omitempty"`
	Cgroup string `json:"cgroup,omitempty"`
	NetNS  uint64 `json:"netns,omitempty"`
}

// OwnerPID is one process of an owner.
type OwnerPID struct {
	PID int `json:"pid"`
	// NSPID is its id in its own (innermost) pid namespace, 0 if that is the host's.
	NSPID int `json:"ns_pid,omitempty"`
	// Count is how many sockets of the group it holds.
	Count int `json:"count"`
}

// NetNS names the network namespace of a finding.
type NetNS struct {
	ID   uint64 `json:"id"`
	Name string `json:"name,omitempty"`
}

// Age brackets how long ago the peer's FIN came (for states without one, how
// long the socket has been as it is). AtMostS is null when nothing bounds it.
type Age struct {
	AtLeastS float64  `json:"at_least_s"`
	AtMostS  *float64 `json:"at_most_s"`
}

// GrowthBasis says what a growth figure rests on.
type GrowthBasis string

// The bases. OneLook is an estimate from the survivors' ages: a pool that
// drains looks alike.
const (
	OneLook  GrowthBasis = "one-look"
	TwoLooks GrowthBasis = "two-looks"
	History  GrowthBasis = "history"
)

// Ending is the kind of an outlook.
type Ending string

// The endings, most lasting first.
const (
	Never   Ending = "never"    // no timer will end it
	OnWrite Ending = "on-write" // ends when the application next writes
	By      Ending = "by"       // ends at the latest then
	At      Ending = "at"       // ends then
	Soon    Ending = "soon"     // ends within the peer's or the kernel's next step
)

// Outlook says whether and when a socket ends without anybody's help.
type Outlook struct {
	Kind   Ending     `json:"kind"`
	At     *time.Time `json:"at"`
	Why    string     `json:"why"`
	Claims []string   `json:"claims,omitempty"`
	// Confidence is likely where the rule hangs on a setting that could not be read.
	Confidence Confidence `json:"confidence"`
}

// Exhaustion is the resource that the finding's owner runs out of first.
type Exhaustion struct {
	Resource Resource `json:"resource"`
	// Of names whose: a pid, a listener, a destination.
	Of    string     `json:"of,omitempty"`
	Used  int        `json:"used"`
	Limit int        `json:"limit"`
	At    *time.Time `json:"at"`
}

// Resource is something finite.
type Resource string

// The resources.
const (
	OpenFiles   Resource = "nofile"
	AcceptQueue Resource = "accept-queue"
	LocalPorts  Resource = "local-ports"
)

// Evidence is one fact a finding rests on, and where it was read.
type Evidence struct {
	Fact   string `json:"fact"`
	Source string `json:"source"` // "sock_diag", "procfs" or "sensor"
}

// Advice says what the finding means and what to do.
type Advice struct {
	Meaning string   `json:"meaning"`
	Fix     string   `json:"fix"`
	Now     []string `json:"now"`
}

// SocketDetail is one socket of a finding.
type SocketDetail struct {
	// Key is the socket's name in the snapshot that was diagnosed.
	Key    observe.Key `json:"-"`
	Local  string      `json:"local"`
	Remote string      `json:"remote"`
	State  tcp.State   `json:"state"`
	RecvQ  uint32      `json:"recv_q"`
	SendQ  uint32      `json:"send_q"`
	// Timer is the pending timer in words, such as "keepalive 12.3 s".
	Timer  string           `json:"timer"`
	Inode  uint64           `json:"inode"`
	Cookie string           `json:"cookie"`
	FDs    []observe.Holder `json:"fds"`
	Age    Age              `json:"age"`
	Ends   Ending           `json:"ends"`
}
