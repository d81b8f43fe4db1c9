package live

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/watch"
	"github.com/closewait/closewait/tcp"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// hostile is a name that would steer a terminal, or break a table.
const hostile = "evil\n\x1b[2J\x1b]0;x\a\u202e日本語" + "very-long-very-long-very-long-very-long-very-long-very-long"

func finding(id string, sockets int) diagnose.Finding {
	at := noon.Add(time.Hour)
	f := diagnose.Finding{
		ID: id, Count: sockets, Cause: diagnose.EOFUnread, Stuck: id != "d", Severity: diagnose.Critical, State: tcp.CloseWait,
		Confidence: diagnose.Likely, Owner: &diagnose.Owner{PID: 2113, Comm: "apache2", Title: hostile, Cmdline: hostile, Container: hostile},
		Direction: diagnose.Outbound, Local: "*", Remote: "[2001:db8::1]:5000",
		Outlook:  diagnose.Outlook{Kind: diagnose.By, At: &at, Why: "keepalive runs"},
		Evidence: []diagnose.Evidence{{Fact: "Recv-Q 1 on all " + hostile, Source: "sock_diag"}},
		Advice:   diagnose.Advice{Meaning: "nobody reads this socket any more", Fix: "evict idle connections", Now: []string{"gdb -p 2113"}},
	}
	for i := range sockets {
		f.Sockets = append(f.Sockets, diagnose.SocketDetail{
			Local: fmt.Sprintf("[2001:db8::2]:%d", 40000+i), Remote: "[2001:db8::1]:5000", State: tcp.CloseWait, RecvQ: 1, Timer: "none",
			Cookie: fmt.Sprintf("%x", i+1), FDs: []observe.Holder{{PID: 2113, FD: int32(i)}},
		})
	}
	return f
}

func pictureOf(findings ...diagnose.Finding) *watch.Picture {
	return watch.NewBoard().Take(&diagnose.Report{
		Host: observe.Host{Name: hostile}, TakenAt: noon, Findings: findings, Limits: []string{"something " + hostile},
		Totals: diagnose.Totals{TCP: 2318, CloseWait: 138, Stuck: 138, Masked: 9},
	}, []watch.Event{{Kind: watch.Stuck, At: noon, Local: "[2001:db8::2]:40000", Owner: &watch.Owner{PID: 1, Name: hostile}, Cause: diagnose.EOFUnread}})
}

// play feeds a model keys and messages.
func play(t *testing.T, m model, all ...any) model {
	t.Helper()
	for _, x := range all {
		msg := x
		if name, ok := x.(string); ok {
			msg = press(name)
		}
		next, _ := m.Update(msg)
		m = next.(model)
	}
	return m
}

func press(name string) tea.KeyPressMsg {
	codes := map[string]rune{
		"enter": tea.KeyEnter, "esc": tea.KeyEscape, "up": tea.KeyUp, "down": tea.KeyDown, "pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp,
		"end": tea.KeyEnd, "home": tea.KeyHome, "backspace": tea.KeyBackspace,
	}
	if code, ok := codes[name]; ok {
		return tea.KeyPressMsg{Code: code}
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

func story(observe.Key) (*watch.Story, bool) {
	return &watch.Story{
		State: tcp.CloseWait, FIN: watch.Moment{Earliest: noon.Add(-time.Hour), Latest: noon.Add(-time.Minute)}, PeerFirst: true, Stuck: true,
		OpenedBy: []observe.Frame{{Function: hostile, File: hostile, Line: 3}},
	}, true
}

func drawn(m model) []string { return strings.Split(m.View().Content, "\n") }

// Every page, at every size, with and without colour: exactly as many lines as the
// screen has, none too wide, and no control character but those of colours.
func TestEveryPageFitsEverySize(t *testing.T) {
	pages := map[string][]any{
		"nothing yet": {}, "list": {Update{Picture: pictureOf(finding("a", 3), finding("d", 1))}},
		"many": {Update{Picture: pictureOf(many(60)...)}, "end"}, "none": {Update{Picture: pictureOf()}},
		"filter": {Update{Picture: pictureOf(finding("a", 3))}, "/", "x", "日"}, "help": {Update{Picture: pictureOf(finding("a", 3))}, "?"},
		"finding": {Update{Picture: pictureOf(finding("a", 200))}, "enter", "end"},
		"socket":  {Update{Picture: pictureOf(finding("a", 3))}, "enter", "enter"},
		"gone":    {Update{Picture: pictureOf(finding("a", 3))}, "enter", "enter", Update{Picture: pictureOf()}},
		"paused":  {Update{Picture: pictureOf(finding("a", 3))}, "p"}, "trouble": {Update{Problem: hostile}},
	}
	for name, keys := range pages {
		for _, color := range []bool{false, true} {
			for _, size := range [][2]int{{80, 24}, {200, 60}, {100, 30}, {60, 12}, {33, 7}, {10, 3}, {1, 1}} {
				m := newModel(Options{Color: color, Interval: 2 * time.Second, Mode: "by looks alone", Story: story})
				m = play(t, m, tea.WindowSizeMsg{Width: size[0], Height: size[1]})
				m = play(t, m, keys...)
				lines := drawn(m)
				if len(lines) != size[1] {
					t.Errorf("%s at %v: %d lines", name, size, len(lines))
				}
				for _, line := range lines {
					if ansi.StringWidth(line) > size[0] {
						t.Errorf("%s at %v: %d columns: %q", name, size, ansi.StringWidth(line), line)
					}
					bare := ansi.Strip(line)
					if !color {
						bare = line
					}
					if strings.ContainsFunc(bare, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u202e' }) {
						t.Errorf("%s at %v: %q", name, size, line)
					}
				}
			}
		}
	}
}

func many(n int) (all []diagnose.Finding) {
	for i := range n {
		all = append(all, finding(fmt.Sprintf("f%d", i), 1))
	}
	return all
}

// The cursor stays on its finding, wherever that moves, and in sight.
func TestTheCursorStaysOnItsFinding(t *testing.T) {
	m := newModel(Options{Story: story})
	m = play(t, m, tea.WindowSizeMsg{Width: 100, Height: 24}, Update{Picture: pictureOf(many(60)...)}, "down", "down")
	if m.list.id != "f2" {
		t.Fatalf("on %s", m.list.id)
	}
	all := many(60)
	all[2], all[50] = all[50], all[2]
	m = play(t, m, Update{Picture: pictureOf(all...)})
	if m.list.id != "f2" || m.list.at != 50 {
		t.Errorf("on %s at %d, want f2 at 50", m.list.id, m.list.at)
	}
	if !strings.Contains(strings.Join(drawn(m), "\n"), "\n› ") {
		t.Errorf("the cursor is out of sight:\n%s", strings.Join(drawn(m), "\n"))
	}
	m = play(t, m, Update{Picture: pictureOf(all[:50]...)}) // f2 has gone
	if m.list.at != 49 {
		t.Errorf("at %d, want the last", m.list.at)
	}
	m = play(t, m, Update{Picture: pictureOf()}, "down", "enter", "end")
	if m.finding != nil {
		t.Error("opened a finding that is not there")
	}
}

func TestAFindingsSocketsCanAllBeReached(t *testing.T) {
	m := newModel(Options{Story: story})
	m = play(t, m, tea.WindowSizeMsg{Width: 100, Height: 24}, Update{Picture: pictureOf(finding("a", 100))}, "enter")
	for range 200 {
		m = play(t, m, "down")
		drawn(m)
	}
	if m.finding.cursor != 99 {
		t.Errorf("at socket %d, want the last, 99", m.finding.cursor)
	}
	if !strings.Contains(strings.Join(drawn(m), "\n"), "› [2001:db8::2]:40099") {
		t.Errorf("it is out of sight:\n%s", strings.Join(drawn(m), "\n"))
	}
	for range 200 {
		m = play(t, m, "up")
		drawn(m)
	}
	if m.finding.cursor != 0 || m.finding.scroll.top != 0 {
		t.Errorf("at socket %d, line %d, want the top", m.finding.cursor, m.finding.scroll.top)
	}
	fewer := finding("a", 2)
	m = play(t, m, "end", Update{Picture: pictureOf(fewer)}, "enter")
	if m.socket == nil || m.socket.detail.Cookie != "2" {
		t.Errorf("opened %+v", m.socket)
	}
}

func TestPauseKeepsThePicture(t *testing.T) {
	m := newModel(Options{Story: story})
	m = play(t, m, Update{Picture: pictureOf(finding("a", 3))}, "p", Update{Picture: pictureOf(finding("a", 7))})
	if n := m.list.rows[0].Count; n != 3 {
		t.Errorf("paused, it shows %d", n)
	}
	if m = play(t, m, "p"); m.list.rows[0].Count != 7 {
		t.Errorf("then it shows %d", m.list.rows[0].Count)
	}
}

// With a filter, what is stuck is said to be of it: the other numbers are the host's.
func TestTheHeadSaysWhatIsFiltered(t *testing.T) {
	for _, c := range []struct {
		filter string
		width  int
		want   string
	}{
		{"", 80, "2,318 TCP sockets · 138 CLOSE_WAIT · 138 stuck · 9 dead · not all seen (?)"},
		{"--port 443", 100, "2,318 TCP sockets · 138 CLOSE_WAIT · 138 stuck of those asked for · 9 dead · not all seen (?)"},
		{"--port 443", 80, "138 CLOSE_WAIT · 138 stuck of those asked for · 9 dead · not all seen (?)"},
	} {
		m := play(t, newModel(Options{Filter: c.filter}), tea.WindowSizeMsg{Width: c.width, Height: 24}, Update{Picture: pictureOf(finding("a", 3))})
		if got := drawn(m)[1]; got != c.want {
			t.Errorf("%q at %d: %q, want %q", c.filter, c.width, got, c.want)
		}
	}
}

// The order is to be seen also where a filter takes room.
func TestTheTitleNamesTheOrderFirst(t *testing.T) {
	for _, c := range []struct {
		filter string
		width  int
		want   string
	}{
		{"ap", 80, "WHO by count /ap"}, {"apache server of mine", 80, "WHO by count /apache…"},
		{"ap", 100, "WHO by count (filter: ap)"}, {"", 80, "WHO by count"},
	} {
		m := play(t, newModel(Options{}), tea.WindowSizeMsg{Width: c.width, Height: 24}, Update{Picture: pictureOf(finding("a", 3))}, "s", "/", tea.PasteMsg{Content: c.filter}, "enter")
		if _, got, _ := strings.Cut(drawn(m)[headLines], "CAUSE"); strings.TrimSpace(got) != c.want {
			t.Errorf("%q at %d: %q, want %q", c.filter, c.width, strings.TrimSpace(got), c.want)
		}
	}
}

func TestTheFilterIsBoundedAndEdited(t *testing.T) {
	m := play(t, newModel(Options{}), Update{Picture: pictureOf(finding("a", 3))}, "/", tea.PasteMsg{Content: "ab\n\x1b[2Jc"}, "日", "backspace")
	if m.list.filter != "ab \x1b[2Jc" { // shown harmless, like all text
		t.Errorf("%q", m.list.filter)
	}
	m = play(t, m, tea.PasteMsg{Content: strings.Repeat("x", 10_000)}, "y")
	if len(m.list.filter) > mostFilter {
		t.Errorf("%d bytes", len(m.list.filter))
	}
	if m = play(t, m, "esc"); m.list.typing || m.list.filter != "" {
		t.Error("esc keeps the filter")
	}
}

func TestGrowthIsShort(t *testing.T) {
	for want, r := range map[string]watch.Row{
		"": {}, "0": {Known: true, Over: 1}, "~+2.1/m": {Known: true, PerHour: 126}, "+3/h": {Known: true, Over: 1, PerHour: 3},
		"-5/s": {Known: true, Over: 1, PerHour: -18000}, "+1.2/d": {Known: true, Over: 1, PerHour: 0.05}, "+250/s": {Known: true, Over: 1, PerHour: 900000},
		"~-43/m": {Known: true, PerHour: -2580}, "~+9.9/m": {Known: true, PerHour: 594},
	} {
		if got := growth(&r); got != want {
			t.Errorf("%v an hour is %q, want %q", r.PerHour, got, want)
		}
	}
}
