package remedy

import (
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/tcp"
)

func guardOf(r Rule) *Guard {
	if r.MaxPerMinute == 0 {
		r.MaxPerMinute = 1000
	}
	return NewGuard(&Policy{Grace: time.Minute, WarnWithin: time.Hour, Rules: []Rule{r}})
}

func acts(r Round) int {
	n := 0
	for _, p := range r.Plans {
		n += p.Plan.Acts()
	}
	return n
}

// A rule acts on a connection once, whatever came of it.
func TestGuardActsOnce(t *testing.T) {
	g := guardOf(Rule{Degree: Shutdown})
	for i, want := range []int{3, 0, 2} {
		n := 3
		if i == 2 {
			n = 5
		}
		if got := acts(g.Round(look(noon.Add(time.Duration(i)*time.Second), n))); got != want {
			t.Errorf("round %d: %d acts, want %d", i, got, want)
		}
	}
}

func TestGuardKeepsTheMinute(t *testing.T) {
	g := guardOf(Rule{Degree: Shutdown, MaxPerMinute: 4})
	for i, row := range []struct {
		after      time.Duration
		acts, held int
	}{{0, 4, 6}, {30 * time.Second, 0, 6}, {61 * time.Second, 4, 2}, {130 * time.Second, 2, 0}} {
		r := g.Round(look(noon.Add(row.after), 10))
		if acts(r) != row.acts || r.Plans[0].Held != row.held {
			t.Errorf("round %d: %d acts, %d held, want %+v", i, acts(r), r.Plans[0].Held, row)
		}
	}
}

func TestGuardActsOnlyWhenDescriptorsRunShort(t *testing.T) {
	g := guardOf(Rule{Degree: Shutdown, OpenFilesAbove: 0.8})
	s := look(noon, 3)
	if n := acts(g.Round(s)); n != 0 {
		t.Errorf("%d acts with %d of %d open", n, s.Processes[0].OpenFiles, s.Processes[0].NoFileSoft)
	}
	s = look(noon.Add(time.Second), 3)
	s.Processes[0].OpenFiles = 900
	if n := acts(g.Round(s)); n != 3 {
		t.Errorf("%d acts with 900 of 1024 open", n)
	}
}

// Older than what its own times tell: it was half-closed in an earlier look.
func TestGuardRemembersWhenItSawAConnectionFirst(t *testing.T) {
	g := guardOf(Rule{Degree: Shutdown, OlderThan: 40 * time.Minute})
	for _, row := range []struct{ after, want int }{{0, 0}, {10, 0}, {26, 0}, {41, 1}} {
		// By its own times it is 15 min old in each look.
		if n := acts(g.Round(look(noon.Add(time.Duration(row.after)*time.Minute), 1))); n != row.want {
			t.Errorf("%d acts on what was seen first %d min ago", n, row.after)
		}
	}
}

// Two rules: the first that wants a connection has it.
func TestGuardRulesGoInOrder(t *testing.T) {
	g := NewGuard(&Policy{Grace: time.Minute, Rules: []Rule{{Degree: KeepAlive, MaxPerMinute: 1}, {Degree: Shutdown, MaxPerMinute: 10}}})
	r := g.Round(look(noon, 3))
	if first, second := r.Plans[0].Plan.Acts(), r.Plans[1].Plan.Acts(); first != 1 || second != 2 {
		t.Errorf("%d and %d acts", first, second)
	}
}

// A process that can't be helped is told of, with how long it has; and told again
// when half of that is over.
func TestGuardWarnsInTime(t *testing.T) {
	g := guardOf(Rule{Degree: Shutdown})
	var warned []Warning
	for i := range 13 {
		s := look(noon.Add(time.Duration(i)*10*time.Second), 50+i*50) // 5 a second
		s.Processes[0].NoFileHard = 1024
		warned = append(warned, g.Round(s).Warnings...)
	}
	if len(warned) != 2 {
		t.Fatalf("warned %d times: %+v", len(warned), warned)
	}
	w := warned[0]
	if w.PID != server || w.PerHour < 17000 || w.PerHour > 19000 || !strings.Contains(w.Text, "nothing from outside") || !strings.Contains(w.Text, "restart (wsgi:horizon) (pid 2113) within") {
		t.Errorf("warning %+v", w)
	}
	if left := warned[1].LeftS; left > w.LeftS/2 {
		t.Errorf("again with %v s left, first with %v", left, w.LeftS)
	}
}

// What never grows is not warned of, and nothing is in a plan twice over the
// life of a pid: another process with it is another one.
func TestGuardDoesNotWarnOfWhatDoesNotGrow(t *testing.T) {
	g := guardOf(Rule{Degree: Room})
	for i := range 5 {
		s := look(noon.Add(time.Duration(i)*time.Minute), 50)
		s.Sockets[0].State = tcp.CloseWait
		if w := g.Round(s).Warnings; len(w) > 0 {
			t.Errorf("warned: %+v", w)
		}
	}
}
