package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// sign is what tells one finding about a program from another.
type sign struct {
	cause         diagnose.Cause
	stuck         bool
	state         tcp.State
	direction     diagnose.Direction
	local, remote string
	mptcp         bool
	side          side
}

// side is who holds a finding's sockets.
type side string

const (
	culprits side = "the culprits"
	peers    side = "the peer"
	nobody   side = "nobody"
	others   side = "a stranger"
)

func (s sign) String() string {
	stuck := "stuck"
	if !s.stuck {
		stuck = "not stuck"
	}
	return fmt.Sprintf("%s, %s, %v, %s, %s → %s, held by %s", s.cause, stuck, s.state, s.direction, s.local, s.remote, s.side)
}

// body is how much of it there is.
type body struct {
	count      int
	confidence diagnose.Confidence // "" for either
	pids       map[int]int         // sockets by process
}

// expectation is what a report must say of one program.
type expectation map[sign]*body

// conditions are those of a look that bear on what it must say.
type conditions struct {
	reader string
	seesBy bool // sees who holds a descriptor, whoever it is,
	// guarded: but for single processes that refuse even root.
	guarded bool
}

func conditionsOf(s *observe.Snapshot) conditions {
	c := conditions{reader: s.Reader, seesBy: true}
	for _, l := range s.Limits {
		switch l.Code {
		case observe.LimitOwners:
			c.seesBy = false
		case observe.LimitSomeOwners:
			c.guarded = true
		}
	}
	return c
}

// expect derives from a program's record what must be said of it.
func expect(x *player, c conditions) expectation {
	out := expectation{}
	for _, conn := range x.record() {
		if conn.Cause == "" {
			continue
		}
		s := signOf(&conn, c)
		b := out[s]
		if b == nil {
			b = &body{pids: map[int]int{}, confidence: confidenceOf(x, &conn, s, c)}
			out[s] = b
		}
		b.count++
		for pid := range holdersOf(x, &conn) {
			b.pids[pid]++
		}
	}
	return out
}

func signOf(conn *misbehave.Conn, c conditions) sign {
	s := sign{
		cause: causeOf(conn, c), state: conn.State, mptcp: conn.MPTCP,
		direction: diagnose.Outbound, local: "*", remote: unmapped(conn.Remote).String(), side: nobody,
	}
	s.stuck = isStuck(conn, s.cause)
	switch {
	case conn.Inbound:
		s.direction, s.local, s.remote = diagnose.Inbound, fmt.Sprintf(":%d", conn.Local.Port()), "*"
	case conn.State == tcp.Closed && c.reader != "bpf":
		s.remote = "*" // only BPF reads the remote address of a dead connection
	}
	if conn.PID != 0 {
		s.side = culprits
		if !conn.Culprit {
			s.side = peers
		}
	}
	return s
}

// causeOf is the record's cause, where the kernel and the privileges show it.
func causeOf(conn *misbehave.Conn, c conditions) diagnose.Cause {
	cause := diagnose.Cause(conn.Cause)
	switch {
	case conn.MPTCP && cause == diagnose.EOFUnread:
		return diagnose.EOFIgnored // the kernel shows Recv-Q 0 (kernel-facts, MPTCP)
	case cause == diagnose.Ownerless && !c.seesBy:
		return diagnose.EOFUnread // whoever may hold it can not be seen
	}
	return cause
}

// isStuck: in use and draining are not; nor is what the kernel ends within two
// minutes, as it does a FIN that an orphan retransmits in vain (102 s).
func isStuck(conn *misbehave.Conn, cause diagnose.Cause) bool {
	switch cause {
	case diagnose.HalfCloseInUse, diagnose.OrphanDraining:
		return false
	case diagnose.FinUnacked:
		return conn.FD >= 0
	}
	return true
}

// confidenceOf is what causes.md fixes. In-use is inferred from one moment.
func confidenceOf(x *player, conn *misbehave.Conn, s sign, c conditions) diagnose.Confidence {
	goodbye := conn.Culprit && (x.spec.Kind == misbehave.Farewell || x.spec.Kind == misbehave.TLSPool)
	young := conn.Culprit && x.spec.KeepAlive // or probes: only the upper bound of its age speaks
	switch {
	case s.cause == diagnose.HalfCloseInUse:
		return ""
	case young && s.cause != diagnose.Masked, conn.Timer == 4:
		return ""
	case s.cause == diagnose.Ownerless && c.guarded:
		return ""
	case s.cause == diagnose.PeerKeepsOpen && !conn.Inbound:
		return "" // certain if it was answered since
	case conn.Culprit && x.spec.Kind == misbehave.DataUnreadPartial: // read on, and in one look
		return diagnose.Likely
	case goodbye, s.cause == diagnose.EOFIgnored, s.cause == diagnose.Masked:
		return diagnose.Likely
	}
	return diagnose.Certain
}

// holdersOf are the processes that answer for a connection: of one that was never
// accepted, those with the listener.
func holdersOf(x *player, conn *misbehave.Conn) map[int]bool {
	pids := map[int]bool{}
	if conn.PID == 0 {
		return pids
	}
	pids[conn.PID] = true
	for _, h := range conn.AlsoHeldBy {
		pids[h.PID] = true
	}
	if conn.Cause == string(diagnose.NeverAccepted) {
		for _, l := range x.Listeners() {
			for _, h := range l.AlsoHeldBy {
				pids[h.PID] = true
			}
		}
	}
	return pids
}

// ports are those that tell the program's sockets from all others'.
func (x *player) ports() []uint16 {
	var ports []uint16
	for _, l := range x.Listeners() {
		if !slices.Contains(ports, l.Local.Port()) {
			ports = append(ports, l.Local.Port())
		}
	}
	if p := x.Service().Port(); p != 0 && !slices.Contains(ports, p) {
		ports = append(ports, p)
	}
	return ports
}

func unmapped(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// clockSlack is by how much the kernel's clock (milliseconds, jiffies) and ours
// may differ.
const clockSlack = 60 * time.Millisecond
