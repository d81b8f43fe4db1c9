package closewaittest

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/closewait/closewait/tcp"
)

// Socket is a TCP socket of this process.
type Socket struct {
	// FDs are the descriptors that refer to it, ascending.
	FDs []int
	// Local and Remote are its addresses, IPv4-mapped ones unmapped. Remote is
	// unset once the connection is dead.
	Local, Remote netip.AddrPort
	// State is CLOSED for a dead connection.
	State tcp.State
	// RecvQ is the bytes received and not read, the peer's FIN counting as one, as
	// ss shows it. Before Linux 4.12 an unread FIN alone can not be seen.
	RecvQ int
	// AtLeast and AtMost bracket how long it has been so. AtMost is 0 if nothing
	// bounds it.
	AtLeast, AtMost time.Duration
	// Candidates are the tests that may have made it, if there are several.
	Candidates []string

	id   identity
	dead bool // was connected once
}

// left reports whether the socket is one that its program should have closed.
func (s *Socket) left() bool { return s.State.HalfClosed() || s.dead }

// youngerThan bounds the age: what a test made can not be older than the test.
func (s *Socket) youngerThan(d time.Duration) {
	if s.AtMost == 0 || s.AtMost > d {
		s.AtMost = d
	}
	s.AtLeast = min(s.AtLeast, s.AtMost)
}

// String is the socket and what to do about it.
func (s Socket) String() string {
	var b strings.Builder
	b.WriteString("fd")
	for i, fd := range s.FDs {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, " %d", fd)
	}
	fmt.Fprintf(&b, ": %v", s.Local)
	if s.Remote.IsValid() {
		fmt.Fprintf(&b, " → %v", s.Remote)
	}
	fmt.Fprintf(&b, ", %s", s.state())
	fmt.Fprintf(&b, ", %s: %s", s.age(), s.advice())
	if len(s.Candidates) > 0 {
		fmt.Fprintf(&b, " (ambiguous: made while %s ran)", list(s.Candidates))
	}
	return b.String()
}

func (s *Socket) state() string {
	if s.dead {
		return "dead (CLOSED, the descriptor remains)"
	}
	return fmt.Sprintf("%v, Recv-Q %d", s.State, s.RecvQ)
}

func (s *Socket) age() string {
	round := func(d time.Duration) time.Duration {
		if d < 10*time.Second {
			return d.Round(time.Millisecond)
		}
		return d.Round(time.Second)
	}
	low, high := round(s.AtLeast), round(s.AtMost)
	switch {
	case s.AtMost == 0:
		return fmt.Sprintf("for at least %v", low)
	case low == 0:
		return fmt.Sprintf("for at most %v", high)
	case high-low <= high/10:
		return fmt.Sprintf("for %v", low)
	}
	return fmt.Sprintf("for %v to %v", low, high)
}

func (s *Socket) advice() string {
	switch {
	case s.dead:
		return "the connection has ended, most often by a RST, and nobody closed it: close it when a read or write fails or a read returns io.EOF"
	case s.State == tcp.CloseWait && s.RecvQ > 1:
		return fmt.Sprintf("the peer has closed, %d bytes are unread: read to the end and close (net/http: Response.Body.Close)", s.RecvQ-1)
	case s.State == tcp.CloseWait && s.RecvQ == 1:
		return "the peer has closed and nobody read that: close what holds it (net/http: Response.Body.Close, Client.CloseIdleConnections)"
	case s.State == tcp.CloseWait:
		return "the peer has closed and everything was read: close it when a read returns io.EOF (net/http: Response.Body.Close)"
	case s.State == tcp.FinWait2:
		return "CloseWrite was called and the peer keeps its side open: close it, and see why the peer does not"
	}
	return "its closing is not acknowledged and its descriptor is still open: close it"
}

// most is how many sockets a failure lists.
const most = 20

// text is a failure: who left what behind.
func text(who string, left []Socket) string {
	var b strings.Builder
	sockets := "sockets"
	if len(left) == 1 {
		sockets = "socket"
	}
	fmt.Fprintf(&b, "%s left %d half-closed %s behind:", who, len(left), sockets)
	for _, s := range left[:min(most, len(left))] {
		b.WriteString("\n\t" + s.String())
	}
	if more := len(left) - most; more > 0 {
		fmt.Fprintf(&b, "\n\tand %d more", more)
	}
	return b.String()
}

// undecided says that another check will tell.
func undecided(left []Socket) string {
	return fmt.Sprintf("%d half-closed sockets of %s: the last of them to end will tell if they stay", len(left), list(left[0].Candidates))
}

// list joins names: "TestA", "TestA and TestB", "TestA, TestB and TestC".
func list(names []string) string {
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}
