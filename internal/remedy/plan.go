package remedy

import (
	"net/netip"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// Schema names the form of what "closewait fix --json" writes. Fields may be
// added to it; none is renamed or removed.
const Schema = "closewait-fix/v1"

// Options says what to plan. The zero value plans the gentlest degree that can
// work for every stuck connection.
type Options struct {
	// Degree; "" is Auto.
	Degree Degree
	// IDs keeps the findings with these ids; empty keeps all.
	IDs []string
	// Program keeps the findings of programs of these names (title, comm or the
	// executable's last element); empty keeps all.
	Programs []string
	// OlderThan keeps connections that have been half-closed for at least this
	// long; zero keeps every one that is stuck.
	OlderThan time.Duration
	// Limit is the most connections to act on, the worst finding first and of each the
	// oldest; zero is no limit.
	Limit int
	// Force acts also on what was never accepted.
	Force bool
	// Probes is what KeepAlive sets; its zero values are 60 s, 10 s and 6.
	Probes Probes
	// Growth is how fast processes' descriptors grow an hour, by pid, where the
	// caller has measured it for longer than two looks.
	Growth map[int]float64
	// OpenFiles is the limit that Room raises to; zero is each process's hard limit.
	OpenFiles uint64
}

// Probes is a keepalive setting.
type Probes struct {
	On       bool    `json:"on"`
	Idle     Seconds `json:"idle_s"`
	Interval Seconds `json:"interval_s"`
	Count    int     `json:"count"`
}

// Seconds is a length of time; JSON has it in seconds.
type Seconds time.Duration

// MarshalJSON writes whole seconds as an integer.
func (s Seconds) MarshalJSON() ([]byte, error) { return seconds(time.Duration(s)), nil }

// defaultProbes gives a peer that is gone two minutes at most.
var defaultProbes = Probes{On: true, Idle: Seconds(time.Minute), Interval: Seconds(10 * time.Second), Count: 6}

func (p Probes) withDefaults() Probes {
	out := defaultProbes
	if p.Idle > 0 {
		out.Idle = p.Idle
	}
	if p.Interval > 0 {
		out.Interval = p.Interval
	}
	if p.Count > 0 {
		out.Count = p.Count
	}
	return out
}

// givesUp is how long after its first unanswered probe a connection ends.
func (p Probes) givesUp() time.Duration { return time.Duration(p.Interval) * time.Duration(p.Count) }

// Plan is what is to be done, and what is not and why.
type Plan struct {
	Schema  string       `json:"schema"`
	Host    observe.Host `json:"host"`
	TakenAt time.Time    `json:"taken_at"`
	// IntervalS is the time between the two looks, 0 for one.
	IntervalS float64 `json:"interval_s"`
	GraceS    float64 `json:"grace_s"`
	Degree    Degree  `json:"degree"`
	// Limits says what could not be seen; Complete is false if there is any.
	Complete bool     `json:"complete"`
	Limits   []string `json:"limits"`
	// Parts are the connections of one finding that are treated alike, the worst
	// finding first.
	Parts []Part `json:"parts"`
	// NotStuck counts connections of the filter that are half-closed and not
	// stuck: they are never touched.
	NotStuck int `json:"not_stuck"`
}

// Part is what is to be done about some connections of one finding.
type Part struct {
	Subject Subject `json:"subject"`
	// Degree is "" where nothing is done.
	Degree Degree `json:"degree,omitempty"`
	// Count is how many connections (for Room: processes) there are.
	Count int `json:"count"`
	// Why says why this degree, or why nothing.
	Why string `json:"why"`
	// When says when it takes effect.
	When string `json:"when,omitempty"`
	// Frees says what the act frees; nil where nothing is done.
	Frees *Frees `json:"frees,omitempty"`
	// Others says what the other degrees would do here.
	Others []Choice `json:"others,omitempty"`
	// Instead says what else helps.
	Instead string `json:"instead,omitempty"`
	Acts    []Act  `json:"acts,omitempty"`
}

// Subject names the finding of a part.
type Subject struct {
	ID         string              `json:"id"`
	Cause      diagnose.Cause      `json:"cause"`
	Confidence diagnose.Confidence `json:"confidence"`
	State      tcp.State           `json:"state"`
	Direction  diagnose.Direction  `json:"direction"`
	Local      string              `json:"local"`
	Remote     string              `json:"remote"`
	NetNS      diagnose.NetNS      `json:"netns"`
	Owner      *diagnose.Owner     `json:"owner"`
	Oldest     diagnose.Age        `json:"oldest"`
	Outlook    diagnose.Outlook    `json:"outlook"`
}

func subjectOf(f *diagnose.Finding) Subject {
	return Subject{
		ID: f.ID, Cause: f.Cause, Confidence: f.Confidence, State: f.State, Direction: f.Direction,
		Local: f.Local, Remote: f.Remote, NetNS: f.NetNS, Owner: f.Owner, Oldest: f.Oldest, Outlook: f.Outlook,
	}
}

// Choice is a degree that was not taken.
type Choice struct {
	Degree Degree `json:"degree"`
	// Can is false where the degree can do nothing here.
	Can  bool   `json:"can"`
	Text string `json:"text"`
}

// Act is one thing to be done: to a socket, or for Room to a process.
type Act struct {
	Degree  Degree         `json:"degree"`
	Finding string         `json:"finding"`
	Cause   diagnose.Cause `json:"cause"`
	// Socket is nil for Room, Process for everything else.
	Socket  *Socket  `json:"socket,omitempty"`
	Process *Process `json:"process,omitempty"`
	// Probes is what KeepAlive sets.
	Probes *Probes `json:"probes,omitempty"`
}

// Socket is the one that an act is about, as it was seen.
type Socket struct {
	Cookie uint64         `json:"-"`
	Name   string         `json:"cookie"` // Cookie, in hexadecimal as everywhere
	NetNS  uint64         `json:"netns"`
	Inode  uint64         `json:"inode,omitempty"`
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	State  tcp.State      `json:"state"`
	RecvQ  uint32         `json:"recv_q"`
	SendQ  uint32         `json:"send_q"`
	Sent   uint64         `json:"bytes_sent"`
	Acked  uint64         `json:"bytes_acked"`
	Recvd  uint64         `json:"bytes_received"`
	// Holders are the descriptors through which it can be reached, each with its
	// process's start time.
	Holders []Holder     `json:"holders,omitempty"`
	Age     diagnose.Age `json:"age"`
	// Unaccepted: it is to be destroyed although it was never accepted.
	Unaccepted bool `json:"unaccepted,omitempty"`
}

// Holder is one descriptor of one process.
type Holder struct {
	PID        int    `json:"pid"`
	FD         int    `json:"fd"`
	StartTicks uint64 `json:"start_ticks"`
}

// Acts counts the plan's acts.
func (p *Plan) Acts() int {
	n := 0
	for i := range p.Parts {
		n += len(p.Parts[i].Acts)
	}
	return n
}
