package watch

import (
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/report"
	"github.com/closewait/closewait/tcp"
)

func drawn(t *testing.T, s *scene) string {
	t.Helper()
	story, ok := s.journal.Story(key(1))
	if !ok {
		t.Fatal("the journal does not know the connection")
	}
	var b strings.Builder
	if err := report.LadderText(&b, story.Ladder(s.now, time.UTC), report.Style{Width: 80}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheStoryThatLooksTell(t *testing.T) {
	s := newScene(t, Options{})
	s.look()
	fin := s.now.Add(-500 * time.Millisecond)
	s.look(s.conn(1, tcp.CloseWait, 1, fin))
	s.look(s.conn(1, tcp.CloseWait, 0, fin))
	want := `0s is 12:00:01.500

                         here │                               │ the peer
         0s        CLOSE_WAIT │◀──────────────────── FIN|ACK ─┤ close or
                              │                               │ shutdown
         0s                   ├─ ACK ────────────────────────▶│ FIN_WAIT_2
         0s  the FIN came between 12:00:00.000 and 12:00:01.500
       2.5s   a read returned │                               │
                         zero │                               │
       4.5s  still CLOSE_WAIT │                               │
`
	if got := drawn(t, s); got != want {
		t.Errorf("drawn:\n%s\nwant:\n%s", got, want)
	}
}

func TestTheStoryThatTheSensorTells(t *testing.T) {
	s, fin := sensed(t, 0)
	s.history[1].Opened = fin.Add(-3 * time.Second)
	s.look(s.conn(1, tcp.CloseWait, 1, fin))
	rst := s.now.Add(-time.Second)
	s.history[1] = &observe.History{
		Opened: fin.Add(-3 * time.Second), HalfClosed: fin, FINReceived: true, Zero: fin.Add(time.Second), Ended: rst, End: observe.EndReset,
	}
	s.look(s.dead(1))
	want := `0s is 11:59:57.765

                         here │                               │ the peer
         0s            opened │                               │
                  ESTABLISHED │                               │
         3s        CLOSE_WAIT │◀──────────────────── FIN|ACK ─┤ close or
                              │                               │ shutdown
         3s                   ├─ ACK ────────────────────────▶│ FIN_WAIT_2
         4s   a read returned │                               │
                         zero │                               │
     5.235s            CLOSED │◀──────────────────────── RST ─┤
     5.235s  a RST was received: the descriptor stays open
`
	if got := drawn(t, s); got != want {
		t.Errorf("drawn:\n%s\nwant:\n%s", got, want)
	}
}

func TestOtherStories(t *testing.T) {
	for name, c := range map[string]struct {
		play func(s *scene)
		want []string
	}{
		"before the watch": {func(s *scene) { s.look(s.conn(1, tcp.CloseWait, 1, noon.Add(-time.Hour))) },
			[]string{"the FIN came between", "stuck, since before the watch began", "the FIN is"}},
		"unread": {func(s *scene) { s.look(); s.look(s.conn(1, tcp.CloseWait, 31, s.now)) }, []string{"30 bytes"}},
		"this side first": {func(s *scene) { s.look(); s.look(s.conn(1, tcp.FinWait2, 0, s.now)) },
			[]string{"├─ FIN|ACK", "FIN_WAIT_2", "shutdown"}},
		"not accepted": {func(s *scene) {
			s.look()
			x := s.conn(1, tcp.CloseWait, 1, s.now)
			x.Inode, x.Holders = 0, nil
			s.look(x)
		}, []string{"not accepted"}},
		"dead from the beginning": {func(s *scene) { s.look(s.dead(1)) }, []string{"nothing is known"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, Options{})
			c.play(s)
			got := drawn(t, s)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing:\n%s", want, got)
				}
			}
		})
	}
}

func TestNoStoryOfWhatIsNotThere(t *testing.T) {
	if _, ok := NewJournal(Options{}).Story(key(1)); ok {
		t.Error("a story of nothing")
	}
}
