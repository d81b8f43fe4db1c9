package remedy

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// The gentlest degree that can end the connection, one row a situation.
func TestAutoChoosesTheGentlestThatCanWork(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(s *observe.Snapshot, x *observe.Socket)
		want   Degree
		why    string
	}{
		{"a peer on another host", func(*observe.Snapshot, *observe.Socket) {}, KeepAlive, "if the peer closed or vanished"},
		{"a peer on this host that holds its end", func(s *observe.Snapshot, x *observe.Socket) { other(s, x, 9) }, Shutdown, "would answer every keepalive probe"},
		{"a peer on this host that has closed", func(s *observe.Snapshot, x *observe.Socket) { other(s, x, 0) }, KeepAlive, "once its FIN_WAIT_2 has run out"},
		{"a peer on this host that is gone", func(_ *observe.Snapshot, x *observe.Socket) {
			x.Remote, x.Local = loopback(x.Remote), loopback(x.Local)
		},
			KeepAlive, "the first probe draws a RST"},
		{"data waits behind a zero window", func(_ *observe.Snapshot, x *observe.Socket) {
			x.SendQ, x.Timer = 100, observe.Timer{Kind: observe.TimerProbe, Expires: 100}
			x.Info.RTO = 200
		}, Destroy, "data waits to be sent"},
		{"a silent peer, data retransmitted", func(_ *observe.Snapshot, x *observe.Socket) {
			x.SendQ, x.Timer = 100, observe.Timer{Kind: observe.TimerRetransmit, Expires: 100, Retries: 4}
			x.Info.RTO, x.Info.Backoff = 3200, 4
		}, "", "the kernel gives up by itself"},
		{"keepalive runs, and soon", func(_ *observe.Snapshot, x *observe.Socket) {
			x.Options.KeepAlive, x.Options.KeepIdle = true, 30000
			x.Timer = observe.Timer{Kind: observe.TimerKeepalive, Expires: 20000}
		}, "", "keepalive runs already"},
		{"what the kernel ends soon leaves its descriptor behind", func(s *observe.Snapshot, x *observe.Socket) {
			other(s, x, 0)
			x.Options.KeepAlive, x.Options.KeepIdle = true, 15000
			x.Timer = observe.Timer{Kind: observe.TimerKeepalive, Expires: 5000}
		}, "", "; only the application can close the descriptor"},
		{"keepalive runs, in two hours", func(_ *observe.Snapshot, x *observe.Socket) {
			x.Options.KeepAlive = true
			x.Timer = observe.Timer{Kind: observe.TimerKeepalive, Expires: 6000000}
		}, KeepAlive, "if the peer closed or vanished"},
		{"our side is shut, the peer on another host", func(_ *observe.Snapshot, x *observe.Socket) { x.State, x.RecvQ = tcp.FinWait2, 0 }, KeepAlive, "--degree destroy remains"},
		{"our side is shut, the peer in CLOSE_WAIT here", func(s *observe.Snapshot, x *observe.Socket) {
			x.State, x.RecvQ = tcp.FinWait2, 0
			other(s, x, 9)
			s.Sockets[len(s.Sockets)-1].State = tcp.CloseWait
		}, "", "end that one"},
		{"nobody was seen with it", func(s *observe.Snapshot, x *observe.Socket) {
			x.Holders = nil
			s.Limits = []observe.Limit{{Code: observe.LimitOwners, Text: "x"}}
		}, "", "who holds it could not be seen"},
		{"nobody has it", func(_ *observe.Snapshot, x *observe.Socket) { x.Holders = nil }, Destroy, "no descriptor of it can be reached"},
		{"its application has closed it, behind a closed window", func(_ *observe.Snapshot, x *observe.Socket) {
			x.State, x.Inode, x.Holders, x.RecvQ, x.SendQ = tcp.FinWait1, 0, nil, 0, 100
			x.Timer, x.Info.RTO = observe.Timer{Kind: observe.TimerProbe, Expires: 100}, 200
		}, "", "the kernel gives up by itself"},
		{"no cookie", func(_ *observe.Snapshot, x *observe.Socket) { x.Cookie = 0 }, "", "its cookie is not known"},
		{"a slow answer, perhaps", func(s *observe.Snapshot, x *observe.Socket) {
			x.RecvQ, x.Info.BytesSent = 0, 0
			x.Local, x.Remote = x.Remote, x.Local // inbound: there is a listener
			s.Sockets = append(s.Sockets, observe.Socket{NetNS: 1, Inode: 7, Cookie: 7, State: tcp.Listen, Local: x.Local, Holders: x.Holders})
			other(s, &s.Sockets[0], 9)
		}, "", "this may be a slow answer"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := look(noon, 1)
			row.change(s, &s.Sockets[0])
			p := planFor(s, Options{})
			for i := range p.Parts {
				part := &p.Parts[i]
				if part.Subject.State != s.Sockets[0].State {
					continue // the other end
				}
				if part.Degree != row.want || !strings.Contains(part.Why, row.why) {
					t.Errorf("%q because %q, want %q because %q", part.Degree, part.Why, row.want, row.why)
				}
				if (part.Degree == "") != (len(part.Acts) == 0) || (part.Degree == "") != (part.Frees == nil) {
					t.Errorf("%d acts, frees %v", len(part.Acts), part.Frees)
				}
				return
			}
			t.Errorf("no part in %+v", p)
		})
	}
}

// other adds the other end of x, in FIN_WAIT_2; inode 0 is an orphan.
func other(s *observe.Snapshot, x *observe.Socket, inode uint64) {
	var holders []observe.Holder
	if inode != 0 {
		holders = []observe.Holder{{PID: server, FD: 99}}
	}
	s.Sockets = append(s.Sockets, observe.Socket{
		Holders: holders, NetNS: 1, Inode: inode, Cookie: 999, State: tcp.FinWait2, Local: x.Remote, Remote: x.Local, Info: &observe.Info{LastDataSent: 900000, LastAckRecv: 900000},
	})
}

func loopback(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), a.Port())
}

// What is in use, young or draining is never in a plan.
func TestNotStuckIsNeverPlanned(t *testing.T) {
	s := look(noon, 3)
	s.Sockets[0].RecvQ, s.Sockets[0].Info.LastDataSent, s.Sockets[0].Info.LastAckRecv = 0, 100, 90 // in use
	s.Sockets[1].Info.LastAckRecv = 1000                                                           // young
	for _, d := range Degrees() {
		p := planFor(s, Options{Degree: d, Force: true})
		for _, part := range p.Parts {
			for _, a := range part.Acts {
				if a.Socket != nil && a.Socket.Cookie != 3 {
					t.Errorf("%s acts on cookie %d", d, a.Socket.Cookie)
				}
			}
		}
		if p.NotStuck != 2 {
			t.Errorf("%s: %d not stuck", d, p.NotStuck)
		}
	}
}

func TestLimitTakesTheOldest(t *testing.T) {
	p := planFor(look(noon, 5), Options{Degree: Shutdown, Limit: 2})
	if p.Acts() != 2 || p.Parts[0].Acts[0].Socket.Cookie != 1 || p.Parts[0].Acts[1].Socket.Cookie != 2 {
		t.Errorf("plan %+v", p.Parts)
	}
	if len(p.Parts) != 2 || p.Parts[1].Count != 3 || !strings.Contains(p.Parts[1].Why, "beyond the limit of 2") {
		t.Errorf("the rest is %+v", p.Parts[1])
	}
}

func TestOlderThanIsByTheLowerBound(t *testing.T) {
	p := planFor(look(noon, 3), Options{Degree: Shutdown, OlderThan: 899 * time.Second})
	if p.Acts() != 2 || p.Parts[1].Count != 1 || !strings.Contains(p.Parts[1].Why, "not known to be older than") {
		t.Errorf("plan %+v", p.Parts)
	}
}

func TestIDsAndProgramsChooseFindings(t *testing.T) {
	s := look(noon, 2)
	id := planFor(s, Options{}).Parts[0].Subject.ID
	for _, row := range []struct {
		o    Options
		want int
	}{
		{Options{IDs: []string{id}}, 2}, {Options{IDs: []string{"000000000000"}}, 0},
		{Options{Programs: []string{"(wsgi:horizon)"}}, 2}, {Options{Programs: []string{"apache2"}}, 2}, {Options{Programs: []string{"nginx"}}, 0},
	} {
		if got := planFor(s, row.o).Acts(); got != row.want {
			t.Errorf("%+v: %d acts, want %d", row.o, got, row.want)
		}
	}
}

// Room is told in time: how long the raised limit lasts at the measured growth.
func TestRoomSaysHowLongItLasts(t *testing.T) {
	before, now := look(noon, 100), look(noon.Add(time.Second), 110) // 10 a second
	r := diagnose.Diagnose(before, now, diagnose.Options{Sockets: true, Grace: time.Second})
	p := Make(before, now, r, Options{Degree: Room})
	room := p.Parts[0].Acts[0].Process
	if room.To != 4096 || room.PerHour != 36000 || room.Basis != diagnose.TwoLooks {
		t.Fatalf("room %+v", room)
	}
	want := noon.Add(time.Second + (4096-150)*time.Second/10).Truncate(time.Second)
	if room.FullAfter == nil || !room.FullAfter.Equal(want) || !strings.Contains(p.Parts[0].When, "6 min 34 s at 10.0 a second, instead of 87 s") {
		t.Errorf("full at %v, want %v; it says %q", room.FullAfter, want, p.Parts[0].When)
	}
	if p.Acts() != 1 {
		t.Errorf("%d acts on one process", p.Acts())
	}
}

// Dead descriptors are beyond help from outside: the way out is said.
func TestMaskedIsBeyondHelp(t *testing.T) {
	s := look(noon, 2)
	for i := range s.Sockets {
		s.Sockets[i].State, s.Sockets[i].RecvQ = tcp.Closed, 0
	}
	for _, d := range []Degree{Auto, KeepAlive, Shutdown, Destroy} {
		p := planFor(s, Options{Degree: d})
		if p.Acts() != 0 || !strings.Contains(p.Parts[0].Why, "can't be fixed from outside") || !strings.Contains(p.Parts[0].Instead, "a restart of (wsgi:horizon)") {
			t.Errorf("%s: %+v", d, p.Parts)
		}
	}
	// But where it is about to run out of descriptors it can have time.
	s.Processes[0].OpenFiles = 1000
	if p := planFor(s, Options{}); p.Acts() != 1 || p.Parts[0].Degree != Room || !strings.Contains(p.Parts[0].Why, "what can be had is time") {
		t.Errorf("plan %+v", p.Parts)
	}
}

// A part that gives no room is about connections, and counts them.
func TestRoomThatIsNotGivenCountsConnections(t *testing.T) {
	s := look(noon, 3)
	s.Processes[0].NoFileSoft = s.Processes[0].NoFileHard
	if p := planFor(s, Options{Degree: Room}); p.Acts() != 0 || p.Parts[0].Count != 3 {
		t.Errorf("no room is left: %+v", p.Parts[0])
	}
	// The process of two findings has one act, and the other finding its connections.
	s = look(noon, 3)
	s.Sockets[0].State, s.Sockets[0].RecvQ = tcp.Closed, 0
	s.Processes[0].OpenFiles = 1000
	for _, d := range []Degree{Room, Auto} {
		given := 0
		for _, part := range planFor(s, Options{Degree: d}).Parts {
			if part.Degree == Room {
				given += part.Count
			}
			if part.Count == 0 {
				t.Errorf("%s: a part of nothing: %+v", d, part)
			}
		}
		if given != 1 {
			t.Errorf("%s: %d processes get room", d, given)
		}
	}
}
