package watch

import (
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

func TestTheFirstLookHasNoNews(t *testing.T) {
	s := newScene(t, Options{})
	events := s.look(s.conn(1, tcp.CloseWait, 1, noon.Add(-time.Hour)), s.dead(2))
	s.want(events, "began")
	if note := events[0].Note; note != "there are 1 half-closed connection and 1 dead descriptor already; 1 of them stuck" {
		t.Error(note)
	}
	s.want(s.look(s.conn(1, tcp.CloseWait, 1, noon.Add(-time.Hour)), s.dead(2)), "")
}

// C1: the FIN's time follows from last_ack_recv, and is bracketed by the looks.
func TestTheFINIsToldOnceAndWithItsTime(t *testing.T) {
	s := newScene(t, Options{})
	s.look()
	fin := s.now.Add(-500 * time.Millisecond)
	events := s.look(s.conn(1, tcp.CloseWait, 1, fin))
	s.want(events, "fin-received")
	e := events[0]
	if !e.At.Equal(fin) || e.WithinS <= 0 || e.WithinS > interval.Seconds() {
		t.Errorf("at %v, %v s before at most, want %v and no longer before than the look", e.At, e.WithinS, fin)
	}
	if e.Owner == nil || e.Owner.PID != 7 || e.Owner.Name != "horizon" || e.Remote != "10.0.0.5:5000" || e.Cause != diagnose.EOFUnread {
		t.Errorf("%+v", e)
	}
	s.want(s.look(s.conn(1, tcp.CloseWait, 1, fin)), "")
}

func TestAFINOfThisSideIsToldWhileSomebodyHasTheSocket(t *testing.T) {
	s := newScene(t, Options{})
	s.look()
	ours, orphan := s.conn(1, tcp.FinWait2, 0, s.now), s.conn(2, tcp.FinWait2, 0, s.now)
	orphan.Inode, orphan.Holders = 0, nil
	s.want(s.look(ours, orphan), "fin-sent")
}

// C2. What is unread includes the FIN: 1 is the FIN alone.
func TestZeroReads(t *testing.T) {
	for name, c := range map[string]struct {
		before, after uint32
		want          string
	}{
		"the FIN alone was unread":       {1, 0, "zero-read(certain)"},
		"data was unread, too":           {11, 0, "zero-read(likely)"},
		"data was read, the FIN was not": {11, 1, ""},
		"nothing was read":               {1, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, Options{})
			s.look()
			fin := s.now
			s.want(s.look(s.conn(1, tcp.CloseWait, c.before, fin)), "fin-received")
			s.want(s.look(s.conn(1, tcp.CloseWait, c.after, fin)), c.want)
			s.want(s.look(s.conn(1, tcp.CloseWait, c.after, fin)), "")
		})
	}
}

func TestAFINThatWasReadAtOnceMayHaveComeWithData(t *testing.T) {
	s := newScene(t, Options{})
	s.look()
	s.want(s.look(s.conn(1, tcp.CloseWait, 0, s.now)), "fin-received zero-read(likely)")
}

func TestNobodyHasReadAConnectionThatWasNotAccepted(t *testing.T) {
	s := newScene(t, Options{})
	s.look()
	x := s.conn(1, tcp.CloseWait, 0, s.now)
	x.Inode, x.Holders = 0, nil
	events := s.look(x)
	s.want(events, "fin-received")
	if events[0].Note != "nobody has accepted the connection" {
		t.Error(events[0].Note)
	}
}

func TestStuckIsToldWhenTheGraceIsOver(t *testing.T) {
	s := newScene(t, Options{})
	s.look()
	fin := s.now
	s.look(s.conn(1, tcp.CloseWait, 1, fin))
	for s.now.Sub(fin) < grace {
		s.want(s.look(s.conn(1, tcp.CloseWait, 1, fin)), "")
	}
	events := s.look(s.conn(1, tcp.CloseWait, 1, fin))
	s.want(events, "stuck")
	if age := events[0].HalfClosed; age == nil || age.AtLeastS != 60 {
		t.Errorf("half-closed for %+v, want 60 s", age)
	}
	s.want(s.look(s.conn(1, tcp.CloseWait, 1, fin)), "")
}

// What two looks can tell of an end, and what they can't.
func TestEndsByLooks(t *testing.T) {
	none := []observe.Socket{}
	for name, c := range map[string]struct {
		before func(s *scene) observe.Socket
		then   func(s *scene) []observe.Socket
		want   string
	}{
		"the descriptor is gone, its process is not": {want: "ended:closed(likely)"},
		"its process is gone": {
			then: func(s *scene) []observe.Socket { s.alive[7] = false; return none },
			want: "ended:exited(likely)"},
		"one of two processes lives": {
			before: func(s *scene) observe.Socket {
				x := s.conn(1, tcp.CloseWait, 1, s.now)
				x.Holders = []observe.Holder{{PID: 7, FD: 3}, {PID: 8, FD: 3}}
				return x
			},
			then: func(s *scene) []observe.Socket { s.alive[7] = false; return none },
			want: "ended:closed(likely)"},
		"nobody could see who held it": {
			before: func(s *scene) observe.Socket {
				x := s.conn(1, tcp.CloseWait, 1, s.now)
				x.Holders = nil
				return x
			},
			want: "ended:unknown"},
		"dead descriptors can't be looked for": {
			then: func(s *scene) []observe.Socket {
				s.limits = []observe.Limit{{Code: observe.LimitMasked}}
				return none
			},
			want: "ended:unknown"},
		"those of another process can't be looked for": {
			then: func(s *scene) []observe.Socket {
				s.limits = []observe.Limit{{Code: observe.LimitMasked, PIDs: []int{8}}, {Code: observe.LimitOwners, PIDs: []int{9}}}
				return none
			},
			want: "ended:closed(likely)"},
		"its listener is gone": {
			before: func(s *scene) observe.Socket {
				x := s.conn(1, tcp.CloseWait, 1, s.now)
				x.Inode, x.Holders = 0, nil
				return x
			},
			want: "ended:listener(likely)"},
		"not accepted, and its listener is there": {
			before: func(s *scene) observe.Socket {
				x := s.conn(1, tcp.CloseWait, 1, s.now)
				x.Inode, x.Holders = 0, nil
				return x
			},
			then: func(s *scene) []observe.Socket {
				l := s.conn(9, tcp.Listen, 0, s.now)
				l.Local = s.conn(1, tcp.Listen, 0, s.now).Local
				return []observe.Socket{l}
			},
			want: "ended:unknown"},
		"FIN_WAIT_2, and the peer closes": {
			before: func(s *scene) observe.Socket { return s.conn(1, tcp.FinWait2, 0, s.now) },
			want:   "ended:peer(likely)"},
		"the RST of C8: its descriptor stays": {
			then: func(s *scene) []observe.Socket { return []observe.Socket{s.dead(1)} },
			want: "masked:reset(likely)"},
		"the RST of C9, on a probe": {
			before: func(s *scene) observe.Socket {
				x := s.conn(1, tcp.CloseWait, 1, s.now)
				x.Timer = observe.Timer{Kind: observe.TimerKeepalive}
				return x
			},
			then: func(s *scene) []observe.Socket { return []observe.Socket{s.dead(1)} },
			want: "masked:reset(likely)"},
		"keepalive without an answer": {
			before: func(s *scene) observe.Socket {
				x := s.conn(1, tcp.CloseWait, 1, s.now)
				x.Timer = observe.Timer{Kind: observe.TimerKeepalive, Retries: 4}
				return x
			},
			then: func(s *scene) []observe.Socket { return []observe.Socket{s.dead(1)} },
			want: "masked:keepalive(likely)"},
		"retransmissions without an answer": {
			before: func(s *scene) observe.Socket {
				x := s.conn(1, tcp.CloseWait, 1, s.now)
				x.SendQ, x.Timer = 9, observe.Timer{Kind: observe.TimerRetransmit, Retries: 6}
				return x
			},
			then: func(s *scene) []observe.Socket { return []observe.Socket{s.dead(1)} },
			want: "masked:unknown"},
		"the error that waits for the application tells": {
			then: func(s *scene) []observe.Socket {
				x := s.dead(1)
				x.Died = observe.EndDestroyed
				return []observe.Socket{x}
			},
			want: "masked:destroyed(certain)"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, Options{})
			s.look()
			before := s.conn(1, tcp.CloseWait, 1, s.now)
			if c.before != nil {
				before = c.before(s)
			}
			s.look(before)
			var sockets []observe.Socket
			if c.then != nil {
				sockets = c.then(s)
			}
			s.want(s.look(sockets...), c.want)
		})
	}
}

// What the application has closed, only the kernel still has.
func TestAnOrphanHasEndedForItsApplication(t *testing.T) {
	for _, state := range []tcp.State{tcp.LastAck, tcp.FinWait2, tcp.Closing} {
		s := newScene(t, Options{})
		s.look()
		begin := tcp.CloseWait
		if state == tcp.FinWait2 {
			begin = state
		}
		s.look(s.conn(1, begin, 1, s.now))
		x := s.conn(1, state, 0, s.now)
		x.Inode, x.Holders = 0, nil
		s.want(s.look(x), "ended:closed(certain)")
		s.want(s.look(x), "")
		s.want(s.look(), "")
	}
}

func TestADescriptorThatStayedIsReleased(t *testing.T) {
	s := newScene(t, Options{})
	s.look()
	s.look(s.conn(1, tcp.CloseWait, 1, s.now))
	events := s.look(s.dead(1))
	s.want(events, "masked:reset(likely)")
	if events[0].Remote != "10.0.0.5:5000" {
		t.Errorf("the remote end is %q: a dead descriptor has lost it, the connection has not", events[0].Remote)
	}
	s.want(s.look(s.dead(1)), "")
	s.want(s.look(), "released")
}

// A RST ends many a healthy connection: its application is told, and closes.
func TestADeadDescriptorIsGivenTimeToBeClosed(t *testing.T) {
	s := newScene(t, Options{})
	s.look()
	s.want(s.look(s.dead(1)), "")
	s.want(s.look(), "")
	s.want(s.look(s.dead(2)), "")
	s.want(s.look(s.dead(2)), "masked:unknown")
}

func TestWhatCouldNotBeSeenHasNotEnded(t *testing.T) {
	s := newScene(t, Options{})
	s.look()
	s.look(s.conn(1, tcp.CloseWait, 1, s.now))
	s.limits = []observe.Limit{{Code: observe.LimitTorn}}
	s.want(s.look(), "")
	s.limits = nil
	s.want(s.look(s.conn(1, tcp.CloseWait, 1, noon.Add(interval))), "")
	s.want(s.look(), "ended:closed(likely)")
}

func TestANarrowedWatchTellsOfItsPartOnly(t *testing.T) {
	s := newScene(t, Options{Narrowed: true})
	s.filter = diagnose.Filter{Ports: []uint16{40001}}
	s.look()
	s.want(s.look(s.conn(1, tcp.CloseWait, 1, s.now), s.conn(2, tcp.CloseWait, 1, s.now)), "fin-received")
	s.want(s.look(), "ended:closed(likely)")
}

func TestALineIsOneLineAndHarmless(t *testing.T) {
	e := Event{
		Kind: Stuck, At: noon, Local: "10.0.0.4:1", Remote: "10.0.0.5:2", Cause: diagnose.EOFUnread, WithinS: 2,
		Owner:    &Owner{PID: 7, Name: "evil\n\x1b[2J" + strings.Repeat("x", 500)},
		OpenedBy: []observe.Frame{{Function: "open\x07me", File: "a.c", Line: 3}},
	}
	for _, line := range []string{Line(&e, nil), Brief(&e, nil)} {
		if strings.ContainsAny(line, "\n\x1b\x07") || len(line) > 300 {
			t.Errorf("%q", line)
		}
	}
	if got := Line(&e, nil); !strings.HasPrefix(got, "~12:00:00.000  stuck         10.0.0.4:1 ↔ 10.0.0.5:2  evil") || !strings.Contains(got, `open\x07me (a.c:3)`) {
		t.Errorf("%q", got)
	}
}
