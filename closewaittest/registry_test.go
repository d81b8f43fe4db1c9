package closewaittest

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/tcp"
)

// world is a process whose sockets the test decides on.
type world struct {
	registry
	open []Socket
}

func newWorld() *world {
	w := &world{}
	w.list = func() ([]Socket, error) { return w.open, nil }
	return w
}

func (w *world) leak(n uint64) {
	w.open = append(w.open, Socket{FDs: []int{int(n)}, State: tcp.CloseWait, RecvQ: 1, id: identity{cookie: n},
		Local: netip.MustParseAddrPort("127.0.0.1:1"), Remote: netip.MustParseAddrPort("127.0.0.1:2")})
}

func (w *world) check(t *testing.T, name string) *recorder {
	r := record(t, name)
	Options{Grace: time.Nanosecond}.check(r, &w.registry)
	return r
}

// What a test can have made is told by what was there when it began and when it ended.
func TestWhoAnswersForASocket(t *testing.T) {
	for _, row := range []struct{ name, script, want string }{
		{"its only test", "+A leak -A", "A: fd 1"},
		{"made before", "leak +A -A", ""},
		{"one test after the other", "+A leak -A +B -B", "A: fd 1"},
		{"the second of two", "+A +B leak -B -A", "A: fd 1 ambiguous A and B"},
		{"before the second began", "+A leak +B -B -A", "A: fd 1"},
		{"after the first ended", "+A +B -A leak -B", "B: fd 1"},
		{"closed by the other", "+A +B leak -A close -B", ""},
		{"the last of three", "+A +B +C leak -A -B -C", "C: fd 1 ambiguous A, B and C"},
		{"each its own", "+A leak -A +B leak -B", "A: fd 1, B: fd 2"},
		{"a subtest", "+A +A/x leak -A/x -A", "A/x: fd 1"},
		{"the parent of a subtest, before", "+A leak +A/x -A/x -A", "A: fd 1"},
		{"the parent of a subtest, after", "+A +A/x -A/x leak -A", "A: fd 1"},
		{"parallel subtests", "+A +A/x +A/y leak -A/x -A/y -A", "A/y: fd 1 ambiguous A/x and A/y"},
		{"no subtest, though so called", "+A +AB leak -AB -A", "A: fd 1 ambiguous A and AB"},
		{"the whole binary", "+ leak -", ": fd 1"},
		{"a test of the binary", "+ +A leak -A -", "A: fd 1"},
		{"an unchecked one of the binary", "+ +A -A leak +B -B -", ": fd 1"},
	} {
		w := newWorld()
		running := map[string]*recorder{}
		var got []string
		n := uint64(0)
		for _, word := range strings.Fields(row.script) {
			switch name := word[1:]; {
			case word[0] == '+':
				running[name] = w.check(t, name)
			case word == "leak":
				n++
				w.leak(n)
			case word == "close":
				w.open = nil
			default:
				failed := running[name].end()
				for line := range strings.Lines(failed) {
					line = strings.TrimSpace(line)
					if !strings.HasPrefix(line, "fd ") {
						continue
					}
					said, _, _ := strings.Cut(line, ": ")
					if _, who, ok := strings.Cut(line, "(ambiguous: made while "); ok {
						said += " ambiguous " + strings.TrimSuffix(who, " ran)")
					}
					got = append(got, name+": "+said)
				}
			}
		}
		if got := strings.Join(got, ", "); got != row.want {
			t.Errorf("%s (%s): %q, want %q", row.name, row.script, got, row.want)
		}
		if len(w.known) != 0 {
			t.Errorf("%s: %d checks are remembered for ever", row.name, len(w.known))
		}
	}
}

func TestTheFirstOfTwoSaysThatTheLastWillTell(t *testing.T) {
	w := newWorld()
	a, b := w.check(t, "A"), w.check(t, "B")
	w.leak(1)
	if failed := a.end(); failed != "" || len(a.logs) != 1 || !strings.Contains(a.logs[0], "A and B") {
		t.Errorf("failed with %q, logged %q", failed, a.logs)
	}
	if b.end() == "" {
		t.Error("the last did not fail")
	}
}

func TestAllowLetsASocketPass(t *testing.T) {
	w := newWorld()
	r := record(t, "A")
	Options{Grace: time.Nanosecond, Allow: func(s Socket) bool { return s.Remote.Port() == 2 }}.check(r, &w.registry)
	w.leak(1)
	if failed := r.end(); failed != "" {
		t.Errorf("failed with %q", failed)
	}
}

func TestWhatCanNotBeCheckedFails(t *testing.T) {
	w := newWorld()
	w.list = func() ([]Socket, error) { return nil, errors.New("no descriptors here") }
	if got := w.check(t, "A"); len(got.errors) != 1 || !strings.Contains(got.errors[0], "no descriptors here") {
		t.Errorf("failed with %q", got.errors)
	}
	w = newWorld()
	r := w.check(t, "A")
	w.list = func() ([]Socket, error) { return nil, errors.New("no descriptors here") }
	if failed := r.end(); !strings.Contains(failed, "no descriptors here") || len(w.known) > 0 {
		t.Errorf("failed with %q, %d remembered", failed, len(w.known))
	}
}

// Closing may be under way when a test ends.
func TestTheGracePeriodIsWaitedFor(t *testing.T) {
	w := newWorld()
	looks := 0
	w.list = func() ([]Socket, error) {
		if looks++; looks == 5 {
			w.open = nil
		}
		return w.open, nil
	}
	r := record(t, "A")
	Options{Grace: time.Minute}.check(r, &w.registry)
	w.leak(1)
	if failed := r.end(); failed != "" || looks != 5 {
		t.Errorf("after %d looks failed with %q", looks, failed)
	}
}

func TestALongListIsCut(t *testing.T) {
	w := newWorld()
	r := w.check(t, "A")
	for i := range uint64(100) {
		w.leak(i + 1)
	}
	failed := r.end()
	if n := strings.Count(failed, "\n"); n != most+1 || !strings.Contains(failed, "left 100 half-closed sockets") || !strings.Contains(failed, "and 80 more") {
		t.Errorf("%d lines: %s", n, failed)
	}
}

func FuzzParseInfo(f *testing.F) {
	f.Add([]byte{8, 0, 0, 0})
	f.Add(make([]byte, infoSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		i := parseInfo(b)
		if low, high := i.age(); low < 0 || high < 0 {
			t.Errorf("age %v to %v", low, high)
		}
	})
}
