package gate

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/report"
	"github.com/closewait/closewait/tcp"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const grace = 5 * time.Second

// closeWait is a connection whose FIN came that long ago.
func closeWait(cookie uint64, age time.Duration) observe.Socket {
	ms := observe.Millis(age.Milliseconds())
	return observe.Socket{
		NetNS: 1, Inode: 100 + cookie, Cookie: cookie, State: tcp.CloseWait, RecvQ: 1,
		Local:   netip.AddrPortFrom(netip.MustParseAddr("10.0.0.7"), uint16(40000+cookie)),
		Remote:  netip.MustParseAddrPort("10.0.0.5:80"),
		Holders: []observe.Holder{{PID: 7, FD: int32(cookie)}},
		Info: &observe.Info{LastDataSent: ms, LastDataRecv: ms, LastAckRecv: ms, BytesReceived: 41, BytesSent: 30, BytesAcked: 31,
			SegsIn: 5, DataSegsIn: 1, DataSegsOut: 1},
	}
}

func seen(at time.Duration, sockets ...observe.Socket) Sighting {
	return Sighting{Snapshot: &observe.Snapshot{
		Schema: observe.Schema, TakenAt: noon.Add(at), Reader: "procfs", Sockets: sockets,
		Namespaces: []observe.Namespace{{ID: 1, Own: true, Entered: true, Sysctl: observe.Sysctl{LocalPorts: [2]int{32768, 60999}}}},
		Processes:  []observe.Process{{PID: 7, Comm: "app", Exe: "/bin/app", Cmdline: []string{"app"}, StartTicks: 70, StartedAt: noon}},
	}}
}

func ledgerOf(sightings ...Sighting) *ledger {
	l := newLedger(grace)
	for _, s := range sightings {
		l.add(s)
	}
	return l
}

// times is one look every second from one time to another, all of which show
// what show says.
func times(from, to time.Duration, show func(at time.Duration) []observe.Socket) []Sighting {
	var out []Sighting
	for at := from; at <= to; at += time.Second {
		out = append(out, seen(at, show(at)...))
	}
	return out
}

func TestWhatCountsAsStuck(t *testing.T) {
	quiet := func(at time.Duration) []observe.Socket { return []observe.Socket{closeWait(1, at)} }
	for _, row := range []struct {
		name  string
		looks []Sighting
		want  int
	}{
		{"for longer than the grace period", times(0, 6*time.Second, quiet), 1},
		{"for less", times(0, 4*time.Second, quiet), 0},
		{"and closed later", append(times(0, 6*time.Second, quiet), seen(7*time.Second)), 1},
		{"one after another, each for less", times(0, 20*time.Second, func(at time.Duration) []observe.Socket {
			return []observe.Socket{closeWait(uint64(at/(4*time.Second))+1, at%(4*time.Second))}
		}), 0},
		{"sending all the time", times(0, 20*time.Second, func(at time.Duration) []observe.Socket {
			s := closeWait(1, at)
			s.Info.LastDataSent, s.Info.BytesSent = 100, uint64(30+at/time.Second)
			return []observe.Socket{s}
		}), 0},
		{"sent until 6 s before the end", times(0, 12*time.Second, func(at time.Duration) []observe.Socket {
			s := closeWait(1, at)
			until := min(at, 6*time.Second)
			s.Info.LastDataSent, s.Info.BytesSent = observe.Millis((at - until).Milliseconds()), uint64(30+until/time.Second)
			return []observe.Socket{s}
		}), 1},
		{"that died meanwhile", times(0, 6*time.Second, func(at time.Duration) []observe.Socket {
			s := closeWait(1, at)
			if at >= 3*time.Second {
				s.State, s.Remote, s.RecvQ = tcp.Closed, netip.AddrPort{}, 0
			}
			return []observe.Socket{s}
		}), 1},
		{"while everything was stopped", []Sighting{seen(0, quiet(0)...), seen(time.Hour, quiet(time.Hour)...), seen(time.Hour+time.Second, quiet(time.Hour)...)}, 0},
		{"while nobody looked, then on", append([]Sighting{seen(0, quiet(0)...)}, times(time.Hour, time.Hour+6*time.Second, quiet)...), 1},
		{"of nobody in the tree", times(0, 6*time.Second, func(at time.Duration) []observe.Socket {
			s := closeWait(1, at)
			s.Holders = nil
			return []observe.Socket{s}
		}), 0},
		{"an orphan that the kernel drains", times(0, 6*time.Second, func(time.Duration) []observe.Socket {
			s := closeWait(1, 0)
			s.State, s.Inode, s.Holders = tcp.FinWait2, 0, nil
			return []observe.Socket{s}
		}), 0},
		{"kept open by the peer", times(0, 6*time.Second, func(at time.Duration) []observe.Socket {
			s := closeWait(1, at)
			s.State, s.RecvQ = tcp.FinWait2, 0
			return []observe.Socket{s}
		}), 1},
	} {
		if stuck, died, _ := ledgerOf(row.looks...).totals(); stuck != row.want || died != 0 {
			t.Errorf("%s: %d stuck and %d died, want %d and 0", row.name, stuck, died, row.want)
		}
	}
}

func death(cookie uint64, at time.Duration, exact bool) Death {
	return Death{Socket: closeWait(cookie, 50*time.Millisecond), At: noon.Add(at), HalfClosed: 50 * time.Millisecond, Exact: exact,
		Processes: []observe.Process{{PID: 7, Comm: "app", Exe: "/bin/app", Cmdline: []string{"app"}, StartTicks: 70}}}
}

func TestEachConnectionCountsOnce(t *testing.T) {
	looks := times(0, 6*time.Second, func(at time.Duration) []observe.Socket { return []observe.Socket{closeWait(1, at)} })
	last := seen(7 * time.Second)
	last.Died = []Death{death(1, 6*time.Second, true), death(2, 6*time.Second, true), death(3, 6*time.Second, false), death(3, 6*time.Second, false)}
	l := ledgerOf(append(looks, last)...)
	if stuck, died, inferred := l.totals(); stuck != 1 || died != 2 || inferred != 1 {
		t.Errorf("%d stuck, %d died, %d of them inferred; want 1, 2, 1", stuck, died, inferred)
	}
	r := l.report()
	if len(r.Findings) != 1 || r.Findings[0].Count != 3 || r.Findings[0].Cause != diagnose.EOFUnread {
		t.Fatalf("findings %+v", r.Findings)
	}
	var facts []string
	for _, e := range r.Findings[0].Evidence {
		facts = append(facts, e.Fact)
	}
	for _, want := range []string{"2 of 3 ended only because the process did, half-closed for 50ms or more by then (1 of them likely: they were there at the last look before)",
		"1 of 3 were unused for longer than 5s, and ended only because the process did (seen)"} {
		if !strings.Contains(strings.Join(facts, "; "), want) {
			t.Errorf("%q is not among %q", want, facts)
		}
	}
}

// A run that leaks for hours is counted to the end, and kept in bounds.
func TestALongListIsKeptInBounds(t *testing.T) {
	const n = mostCounted + 1000
	sighting := seen(0)
	for i := range uint64(n) {
		sighting.Died = append(sighting.Died, death(i+1, 0, true))
	}
	l := ledgerOf(sighting)
	if stuck, died, _ := l.totals(); stuck != 0 || died != n || len(l.counted) != mostCounted {
		t.Errorf("%d stuck and %d died, %d kept; want 0, %d, %d", stuck, died, len(l.counted), n, mostCounted)
	}
	r := l.report()
	shown := 0
	for _, f := range r.Findings {
		shown += f.Count
	}
	if shown != mostCounted || r.Complete || !strings.Contains(r.Limits[0], "1000 more") {
		t.Errorf("%d in findings, limits %q", shown, r.Limits)
	}
}

// A torn dump may not show what is there.
func TestATornLookTakesNothingAway(t *testing.T) {
	looks := times(0, 6*time.Second, func(at time.Duration) []observe.Socket { return []observe.Socket{closeWait(1, at)} })
	looks[3].Snapshot.Sockets = nil
	looks[3].Snapshot.Limits = []observe.Limit{{Code: observe.LimitTorn, Text: "torn"}}
	l := ledgerOf(looks...)
	if stuck, _, _ := l.totals(); stuck != 1 {
		t.Errorf("%d stuck, want 1", stuck)
	}
	if r := l.report(); r.Complete || len(r.Limits) != 1 {
		t.Errorf("complete %v, limits %q", r.Complete, r.Limits)
	}
}

func sample(exit Exit, maxStuck int) *Outcome {
	last := seen(time.Second)
	last.Died = []Death{death(1, time.Second, true), death(2, time.Second, true)}
	l := ledgerOf(last)
	o := &Outcome{Command: []string{"./app", "x"}, StartedAt: noon, Took: 1234 * time.Millisecond, Exit: exit, Grace: grace, MaxStuck: maxStuck,
		Peak: 2, Witness: Description{Name: "polling", Looks: 300, LongestGapMS: 7.2, Blind: []string{"one thing", "another"}}, Report: l.report()}
	o.Stuck, o.Died, o.Inferred = l.totals()
	return o
}

func TestTheStatus(t *testing.T) {
	for _, row := range []struct {
		exit     Exit
		maxStuck int
		want     int
	}{
		{Exit{}, 0, 1}, {Exit{}, 2, 0}, {Exit{Code: 3}, 0, 3}, {Exit{Code: 3}, 2, 3},
		{Exit{Code: -1, Signal: "SIGTERM", number: 15}, 0, 143},
	} {
		if got := sample(row.exit, row.maxStuck).Status(); got != row.want {
			t.Errorf("%+v with %d allowed: status %d, want %d", row.exit, row.maxStuck, got, row.want)
		}
	}
}

// What a reader is told is complete, and fits.
func TestTheText(t *testing.T) {
	for _, width := range []int{60, 100} {
		var b bytes.Buffer
		if err := sample(Exit{}, 0).Text(&b, report.Style{Width: width}); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(b.String()), " ")
		for _, want := range []string{
			"closewait run: LEAKED. 2 connections were left half-closed: 2 ended only by the exit of their process (seen). 0 allowed.",
			"holds 2 connections that 10.0.0.5:80 has closed", "eof-unread",
			"watched by polling: 300 looks in 1.234s, at most 7ms apart. It does not see one thing; another.",
			"exit status 1: the program itself succeeded, but it leaked.",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in\n%s", want, b.String())
			}
		}
		for line := range strings.Lines(b.String()) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > width {
				t.Errorf("a line of %d columns, and %d allowed: %q", n, width, line)
			}
		}
		if strings.Contains(text, "never by itself") || strings.Contains(text, "closewait explain") {
			t.Errorf("tells what holds only while a program runs:\n%s", b.String())
		}
	}
}

// Any XML reader takes it, whatever a program calls itself.
func TestTheJUnitReport(t *testing.T) {
	o := sample(Exit{}, 0)
	o.Report.Findings[0].Owner.Title = "<a href=\"x\">&\x1b[31m\x00 ]]>"
	for _, allowed := range []int{0, 2} {
		o.MaxStuck = allowed
		var b bytes.Buffer
		if err := o.JUnit(&b); err != nil {
			t.Fatal(err)
		}
		tokens := xml.NewDecoder(bytes.NewReader(b.Bytes()))
		tokens.Strict = true
		count := map[string]int{}
		for {
			token, err := tokens.Token()
			if token == nil {
				break
			}
			if err != nil {
				t.Fatalf("%v in\n%s", err, b.String())
			}
			if e, ok := token.(xml.StartElement); ok {
				count[e.Name.Local]++
			}
		}
		want := map[string]int{"testsuite": 1, "testcase": 1, "system-out": 1, "failure": 1}
		if allowed == 2 {
			want["failure"], want["system-out"] = 0, 2
		}
		for name, n := range want {
			if count[name] != n {
				t.Errorf("%d allowed: %d elements %s, want %d, in\n%s", allowed, count[name], name, n, b.String())
			}
		}
	}
}

// One program may leak to one service from several places in its code.
func TestNoTwoCasesOfTheJUnitReportHaveOneName(t *testing.T) {
	o := sample(Exit{}, 0)
	one := o.Report.Findings[0]
	o.Report.Findings = nil
	for _, function := range []string{"users", "orders", "", ""} {
		one.OpenedBy = nil
		if function != "" {
			one.OpenedBy = []observe.Frame{{Function: "connect"}, {Function: function, Tells: true}}
		}
		o.Report.Findings = append(o.Report.Findings, one)
	}
	var b bytes.Buffer
	if err := o.JUnit(&b); err != nil {
		t.Fatal(err)
	}
	var suite testSuite
	if err := xml.Unmarshal(b.Bytes(), &suite); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for i, c := range suite.Cases {
		names[c.Name] = true
		if want := []string{", opened by users", ", opened by orders", ", opened by unknown code (3)", ", opened by unknown code (4)"}[i]; !strings.HasSuffix(c.Name, want) {
			t.Errorf("%q, want %q", c.Name, want)
		}
	}
	if len(names) != 4 {
		t.Errorf("%d names: %v", len(names), names)
	}
}

func TestTheJSON(t *testing.T) {
	var b bytes.Buffer
	if err := sample(Exit{Code: -1, Signal: "SIGKILL", number: 9}, 0).JSON(&b); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]any{"schema": Schema, "exit_code": nil, "signal": "SIGKILL", "status": 137.0, "leaked": true, "grace_s": 5.0} {
		if got[field] != want {
			t.Errorf("%s is %v, want %v", field, got[field], want)
		}
	}
	if nested, _ := got["report"].(map[string]any); nested["schema"] != diagnose.Schema {
		t.Errorf("the report is %v", got["report"])
	}
}

// A tenth of a processor in the long run, and at once in the beginning.
func TestThePaceOfLooks(t *testing.T) {
	for _, cost := range []time.Duration{100 * time.Microsecond, 4 * time.Millisecond, 80 * time.Millisecond} {
		var p pace
		p.begin(noon)
		now, looks, early := noon, 0, 0
		for now.Before(noon.Add(time.Minute)) {
			looks++
			if now.Before(noon.Add(100 * time.Millisecond)) {
				early++
			}
			p.spend(cost)
			now = now.Add(cost + p.next(now))
		}
		if used := time.Duration(looks) * cost; used > 7*time.Second && cost < slow/share {
			t.Errorf("looks of %v each use %v of a minute", cost, used)
		}
		if want := int(100 * time.Millisecond / (cost + quick)); early < want {
			t.Errorf("looks of %v each: %d in the first 100 ms, want %d", cost, early, want)
		}
	}
}

// What an MPTCP listener accepted has the listener's cookie, one and all.
func TestConnectionsOfOneMPTCPListenerAreToldApart(t *testing.T) {
	var all []observe.Socket
	for i := range uint64(3) {
		s := closeWait(i, time.Minute)
		s.MPTCP, s.Cookie, s.RecvQ = true, 9, 0
		all = append(all, s)
	}
	l := ledgerOf(times(0, 7*time.Second, func(time.Duration) []observe.Socket { return all })...)
	if stuck, _, _ := l.totals(); stuck != 3 || l.peak != 3 {
		t.Errorf("%d stuck, at most %d half-closed at a time; want 3", stuck, l.peak)
	}
}
