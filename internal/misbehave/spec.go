package misbehave

import (
	"cmp"
	"time"
)

// Spec says what to start.
type Spec struct {
	Kind Kind
	// Count is the number of connections, over all workers; 0 means 1 (5 for
	// BoundedPool). A worker can hold as many as RLIMIT_NOFILE allows.
	Count int
	// IPv6 uses ::1 instead of 127.0.0.1.
	IPv6 bool
	// Mapped gives the culprit IPv6 sockets that speak IPv4 (::ffff:127.0.0.1),
	// as dual-stack programs have them. Not with IPv6.
	Mapped bool
	// Host is the address at which the server of the two listens, an address of
	// this host (such as 127.0.0.7); "" is the loopback address.
	Host string
	// Port is the server's port, and the one after it that of the server behind a relay; 0
	// is any free one.
	Port uint16
	// NetNS is the path of a network namespace to run in; "" is the caller's.
	NetNS string
	// PIDNS gives every actor a pid namespace of its own. Not with Shared.
	PIDNS bool
	// UID is the user the culprits run as; 0 is the caller.
	UID int
	// Title is the culprits' argv[0]; "" is "(misbehave:KIND)".
	Title string
	// NoFile is the culprits' soft RLIMIT_NOFILE; 0 is the hard limit.
	NoFile uint64

	// KeepAlive sets SO_KEEPALIVE on the culprits' sockets. The three others are
	// TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT, 0 being the namespace's; the
	// kernel knows whole seconds.
	KeepAlive bool
	KeepIdle  time.Duration
	KeepIntvl time.Duration
	KeepCnt   int

	// PeerLinger is TCP_LINGER2 of the peer's sockets, in whole seconds: how long
	// its orphans stay in FIN_WAIT_2. 0 is the namespace's tcp_fin_timeout.
	PeerLinger time.Duration
	// Idle is how long a pooled connection is unused before the server ends it.
	// 0 is 2.5 s for Farewell and TLSPool (less, and the goodbye could be an
	// answer), and nothing for the others.
	Idle time.Duration

	// Workers is the number of culprit processes; 0 means 1. Each has its part of
	// Count, and in the inbound kinds accepts from one listener that all share.
	Workers int
	// Shared makes all but the first worker inherit the first one's connections
	// by fork and exec, so that every connection has Workers owners.
	Shared bool

	// Backlog is what inbound kinds pass to listen; 0 is as much as they need.
	Backlog int

	// Growth adds one connection each so often, up to Max in all; 0 adds none.
	Growth time.Duration
	// Max bounds Growth; 0 means no bound but that of open files.
	Max int
}

// withDefaults returns s with its zero values replaced.
func (s Spec) withDefaults() Spec {
	s.Workers = max(s.Workers, 1)
	if s.Count == 0 {
		s.Count = 1
		if s.Kind == BoundedPool {
			s.Count = 5
		}
	}
	if s.Idle == 0 && (s.Kind == Farewell || s.Kind == TLSPool) {
		s.Idle = 2500 * time.Millisecond
	}
	if s.Kind == MaskedKeepAlive {
		s.KeepAlive = true
		s.KeepIdle, s.KeepIntvl = cmp.Or(s.KeepIdle, time.Second), cmp.Or(s.KeepIntvl, time.Second)
		s.PeerLinger = cmp.Or(s.PeerLinger, time.Second)
	}
	if s.Title == "" {
		s.Title = "(misbehave:" + string(s.Kind) + ")"
	}
	return s
}
