// Package observe holds what was seen on a host in one look, as plain data:
// sockets, the processes that hold them, the network namespaces they live in,
// and what could not be seen. It draws no conclusion; package diagnose does.
//
// A Snapshot is built by one goroutine and never changed afterwards, so it may
// be read from many. The package builds on every operating system and needs no
// privilege: snapshots travel as JSON and are diagnosed anywhere.
package observe

import (
	"time"
)

// Schema names the form of a saved snapshot.
const Schema = "closewait-snapshot/v1"

// Snapshot is one look at a host.
type Snapshot struct {
	Schema string `json:"schema"`
	Host   Host   `json:"host"`
	// TakenAt is when the look began, by the host's wall clock.
	TakenAt time.Time `json:"taken_at"`
	// Uptime is how long the host had been up then, suspended time included. The
	// time between two looks is told by it: the wall clock may be set meanwhile.
	Uptime time.Duration `json:"uptime_ns,omitempty"`
	// TookMS is how long it lasted, in milliseconds.
	TookMS float64 `json:"took_ms"`
	// Reader names the way the sockets were read: "bpf" or "procfs".
	Reader string `json:"reader"`
	// Window is how recent traffic on an ESTABLISHED socket had to be for the
	// socket to be kept, in milliseconds: only such sockets can be the live leg
	// of a relay.
	WindowMS   Millis      `json:"window_ms"`
	Namespaces []Namespace `json:"namespaces"`
	Processes  []Process   `json:"processes"`
	// Sockets holds every half-closed socket, every LISTEN socket, every
	// descriptor whose connection is gone (state CLOSED), and the ESTABLISHED
	// sockets with traffic inside Window whose process also holds a half-closed one.
	Sockets []Socket `json:"sockets"`
	// Sensor tells of the sensor; nil if none runs.
	Sensor *Sensor `json:"sensor,omitempty"`
	// Limits says what could not be seen. Empty means the look was complete.
	Limits []Limit `json:"limits,omitempty"`
}

// Since is the time from an earlier look at the same boot of a host to s; 0 or
// less if earlier is not that.
func (s *Snapshot) Since(earlier *Snapshot) time.Duration {
	switch {
	case earlier.Host.BootID != s.Host.BootID:
		return 0
	case earlier.Uptime > 0 && s.Uptime > 0:
		return s.Uptime - earlier.Uptime
	}
	return s.TakenAt.Sub(earlier.TakenAt)
}

// Host names the machine.
type Host struct {
	Name   string `json:"name"`
	Kernel string `json:"kernel"`
	BootID string `json:"boot_id"`
}

// Limit is one thing that could not be seen.
type Limit struct {
	// Code is a stable word for programs: see the constants.
	Code LimitCode `json:"code"`
	// Text says what was not seen and how to see it.
	Text string `json:"text"`
	// NetNS and PIDs name what the limit is about, where it is about something.
	NetNS uint64 `json:"netns,omitempty"`
	PIDs  []int  `json:"pids,omitempty"`
}

// LimitCode classes limits, so that a diagnosis can weigh one.
type LimitCode string

// The codes of limits.
const (
	// LimitOwners: the descriptors of some processes could not be listed, so a
	// socket without an owner may have one.
	LimitOwners LimitCode = "owners"
	// LimitSomeOwners: the same, but of single processes that refuse even a
	// privileged reader: a socket without an owner most likely has none.
	LimitSomeOwners LimitCode = "some-owners"
	// LimitNetNS: a network namespace could not be entered.
	LimitNetNS LimitCode = "netns"
	// LimitTorn: a dump was interrupted each time it was tried.
	LimitTorn LimitCode = "torn"
	// LimitMasked: dead descriptors could not be told from others.
	LimitMasked LimitCode = "masked"
	// LimitSensor: the sensor is there and could not be read, or it lost something.
	LimitSensor LimitCode = "sensor"
	// LimitProcess: a process that holds sockets could not be described.
	LimitProcess LimitCode = "process"
	// LimitReader: the wanted reader could not be used and another one was.
	LimitReader LimitCode = "reader"
)

// Namespace is one network namespace.
type Namespace struct {
	// ID is the inode number of the namespace (ls -Li /proc/PID/ns/net).
	ID uint64 `json:"id"`
	// Name is its name under /run/netns, if it has one.
	Name string `json:"name,omitempty"`
	// Own is true for the namespace closewait itself runs in.
	Own bool `json:"own,omitempty"`
	// PID is a process that lives in it, 0 if none was found.
	PID int `json:"pid,omitempty"`
	// Entered is false when its sockets without an owner, its settings and its
	// counters could not be read. The reason is in Limits.
	Entered bool    `json:"entered"`
	Sysctl  Sysctl  `json:"sysctl"`
	TCP     Counter `json:"tcp"`
	// PortUse counts local ports in use towards destinations that many
	// half-closed sockets share.
	PortUse []PortUse `json:"port_use,omitempty"`
}

// Counter is a namespace's own count of TCP sockets (/proc/net/sockstat and
// sockstat6).
type Counter struct {
	InUse int `json:"in_use"`
	// Orphan is the whole host's: the kernel keeps no count by namespace.
	Orphan   int `json:"orphan"`
	TimeWait int `json:"time_wait"`
}

// Sysctl is a namespace's TCP settings. A zero value means "could not be read";
// the kernel's default is then assumed and said to be.
type Sysctl struct {
	FinTimeout      Millis `json:"fin_timeout_ms,omitempty"`
	KeepaliveTime   Millis `json:"keepalive_time_ms,omitempty"`
	KeepaliveIntvl  Millis `json:"keepalive_intvl_ms,omitempty"`
	KeepaliveProbes int    `json:"keepalive_probes,omitempty"`
	Retries2        int    `json:"retries2,omitempty"`
	OrphanRetries   int    `json:"orphan_retries,omitempty"` // 0 means 8 to the kernel
	RTOMin          Millis `json:"rto_min_ms,omitempty"`
	RTOMax          Millis `json:"rto_max_ms,omitempty"`
	MaxTWBuckets    int    `json:"max_tw_buckets,omitempty"`
	LocalPorts      [2]int `json:"local_ports,omitempty"` // first and last ephemeral port
}

// PortUse says how many local ports of one address are in use towards one
// destination, in any state.
type PortUse struct {
	Local  string `json:"local"`  // address
	Remote string `json:"remote"` // address:port
	Used   int    `json:"used"`
}

// Millis is a duration in milliseconds, the kernel's unit for these fields.
type Millis uint32

// Duration converts m.
func (m Millis) Duration() time.Duration { return time.Duration(m) * time.Millisecond }

// Seconds converts m.
func (m Millis) Seconds() float64 { return float64(m) / 1000 }
