package diagnose

import (
	"testing"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

func TestModelTimeout(t *testing.T) {
	for _, r := range []struct {
		n      int
		rtoMax time.Duration
		want   float64
	}{
		{15, 120 * time.Second, 924.6}, // tcp_retries2
		{8, 120 * time.Second, 102.2},  // tcp_orphan_retries 0
		{9, 120 * time.Second, 204.6},  // the last that only doubles
		{10, 120 * time.Second, 324.6}, // then 120 s each
		{0, 120 * time.Second, 0.2},
		{-1, 120 * time.Second, 0.2},
		{15, time.Second, 14.4}, // tcp_rto_max_ms 1000: ilog2(5) = 2 doublings
		{8, time.Second, 7.4},
		{3, time.Millisecond, 0.203}, // below the base
		{1000, 120 * time.Second, 204.6 + 246*120},
	} {
		if got := modelTimeout(r.n, r.rtoMax).Seconds(); got != r.want {
			t.Errorf("%d retries, at most %v apart: %v s, want %v", r.n, r.rtoMax, got, r.want)
		}
	}
}

// endRow is one socket and its outlook: after is in seconds.
type endRow struct {
	name  string
	edits []edit
	kind  Ending
	after float64
	conf  Confidence
}

func runEndings(t *testing.T, build func() *world, rows []endRow) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			w := build()
			w.add(r.edits...)
			s := w.Sockets[len(w.Sockets)-1]
			for _, f := range w.report().Findings {
				for _, d := range f.Sockets {
					if d.Inode == s.Inode && d.Local == s.Flow().Local.String() {
						wantEnding(t, f.Outlook, r)
						return
					}
				}
			}
			t.Fatal("not in the report")
		})
	}
}

func wantEnding(t *testing.T, o Outlook, r endRow) {
	t.Helper()
	after := 0.0
	if o.At != nil {
		after = o.At.Sub(noon).Seconds()
	}
	if o.Kind != r.kind || (o.At != nil) != (r.kind == At || r.kind == By) || after < r.after-0.001 || after > r.after+0.001 || o.Confidence != r.conf {
		t.Errorf("%s after %v s, %s (%s); want %s after %v s, %s", o.Kind, after, o.Confidence, o.Why, r.kind, r.after, r.conf)
	}
	if o.Why == "" {
		t.Error("does not say why")
	}
}

// sysctls is a world whose namespace has other settings.
func sysctls(s observe.Sysctl) func() *world {
	return func() *world { w := newWorld(); w.Namespaces[0].Sysctl = s; return w }
}

func TestOutlookWithoutATimer(t *testing.T) {
	runEndings(t, bare, []endRow{
		{"C14: timer 0: never", []edit{recvQ(1)}, Never, 0, Certain},
		{"in use: never by itself", []edit{quiet(5, 3650, 600)}, Never, 0, Certain},
		{"masked: only a close frees the descriptor (C8)", []edit{dead}, Never, 0, Certain},
		{"masked, whatever timer the copy showed", []edit{dead, timer(keepalive, 5, 0)}, Never, 0, Certain},
		{"shutdown(SHUT_WR) without close: no timer at all", []edit{state(tcp.FinWait2), carried(0, 1)}, Never, 0, Certain},
		{"ownerless", []edit{noHolder}, Never, 0, Certain},
		{"data unacknowledged: its timer is just firing", []edit{sendQ(9), rto(0.204, 0)}, By, 928.488, Likely},
		{"keepalive on: its timer is just firing", []edit{recvQ(1), options(observe.Options{KeepAlive: true})}, By, 9 * 75, Likely},
	})
}

func TestOutlookOfKeepalive(t *testing.T) {
	inRow := func(idle, intvl float64, cnt uint8, ut float64) edit {
		return options(observe.Options{KeepAlive: true, KeepIdle: sec(idle), KeepIntvl: sec(intvl), KeepCnt: cnt, UserTimeout: sec(ut)})
	}
	runEndings(t, bare, []endRow{
		{"a vanished peer: idle + cnt × intvl, defaults 7200 + 9 × 75 = 7875 s", []edit{recvQ(1), timer(keepalive, 7200, 0)}, By, 7875, Likely},
		{"the next probe in 10 s", []edit{recvQ(1), timer(keepalive, 10, 0)}, By, 685, Likely},
		{"four of nine probes are out", []edit{recvQ(1), timer(keepalive, 75, 4)}, By, 75 + 5*75, Likely},
		{"all are out: it ends when the timer fires", []edit{recvQ(1), timer(keepalive, 75, 9)}, By, 75, Likely},
		{"its own settings (Go's: 15 s, 15 s, 9)", []edit{recvQ(1), timer(keepalive, 15, 0), inRow(15, 15, 9, 0)}, By, 15 + 9*15, Likely},
		{"a closed peer's FIN_WAIT_2 outlives the probes of a vanished one", []edit{recvQ(1), quiet(3700, 1, 1), timer(keepalive, 5, 0), inRow(5, 1, 2, 0)}, By, 60, Likely},
		{"TCP_USER_TIMEOUT takes the place of the count", []edit{recvQ(1), quiet(3700, 600, 5), timer(keepalive, 10, 0), inRow(15, 15, 3, 100)}, By, 10 + 6*15, Likely},
	})
	runEndings(t, sysctls(observe.Sysctl{KeepaliveTime: sec(600), KeepaliveIntvl: sec(10), KeepaliveProbes: 3}), []endRow{
		{"the namespace's settings", []edit{recvQ(1), timer(keepalive, 600, 0)}, By, 630, Likely},
	})
}

func TestOutlookOfRetransmission(t *testing.T) {
	// A connection whose RTO is 204 ms: waits of 0.408, 0.816 … 104.448 s after the
	// first firing, then 120 s each; the first at or beyond 924.6 s is at 928.488 s.
	blocked := func(more ...edit) []edit {
		return append([]edit{sendQ(9), timer(retransmit, 0.204, 0), rto(0.204, 0)}, more...)
	}
	runEndings(t, bare, []endRow{
		{"tcp_retries2 = 15: 924.6 s after the first timeout", blocked(), By, 0.204 + 928.488, Likely},
		{"its options are known: nothing is assumed", blocked(options(observe.Options{})), By, 0.204 + 928.488, Certain},
		{"half-way: four timeouts are past", blocked(timer(retransmit, 3, 4), rto(3.264, 4)), By, 3 + 928.488 - (0.408 + 0.816 + 1.632 + 3.264), Likely},
		{"the stamp itself is known", blocked(timer(retransmit, 3, 4), rto(3.264, 4), options(observe.Options{RetransSince: 924000})), By, 3, Certain},
		{"TCP_USER_TIMEOUT overrides, and clamps the RTO", blocked(options(observe.Options{UserTimeout: sec(10)})), By, 10.204, Certain},
		{"an orphan: tcp_orphan_retries 0 means 8, 102.2 s", blocked(state(tcp.LastAck), noFile, sendQ(1)), By, 0.204 + 104.04, Certain},
		{"an orphan in FIN_WAIT_1", blocked(state(tcp.FinWait1), noFile, sendQ(1)), By, 0.204 + 104.04, Certain},
		{"a LAST_ACK that still has an owner: tcp_retries2", blocked(state(tcp.LastAck), sendQ(1)), By, 0.204 + 928.488, Likely},
		{"no timer: an ACK is just being dealt with", []edit{state(tcp.LastAck), sendQ(1)}, Soon, 0, Likely},
	})
	// rto_max 1 s: waits 0.408, 0.816, 1, 1, …; the model says 14.4 s for 15.
	runEndings(t, sysctls(observe.Sysctl{RTOMax: sec(1)}), []endRow{
		{"tcp_rto_max_ms = 1000: 14.4 s", blocked(), By, 0.204 + 0.408 + 0.816 + 14, Likely},
		{"half-way, at the longest wait: the waits before were not half as long", blocked(timer(retransmit, 0.5, 9), rto(1, 9)), By, 7.5, Likely},
		{"an orphan is given up when the RTO has reached its maximum", blocked(state(tcp.LastAck), noFile, sendQ(1)), By, 0.204 + 0.408 + 0.816 + 1, Certain},
	})
	runEndings(t, sysctls(observe.Sysctl{Retries2: 8}), []endRow{
		{"tcp_retries2 = 8: 102.2 s", blocked(), By, 0.204 + 104.04, Likely},
	})
	runEndings(t, sysctls(observe.Sysctl{OrphanRetries: 3}), []endRow{
		{"tcp_orphan_retries = 3: the first timeout beyond 3 s", blocked(state(tcp.LastAck), noFile, sendQ(1)), By, 0.204 + 6.12, Certain},
	})
}

func TestOutlookOfZeroWindow(t *testing.T) {
	z := func(more ...edit) []edit {
		return append([]edit{sendQ(900), timer(probe, 10, 0), rto(0.2, 5)}, more...)
	}
	runEndings(t, bare, []endRow{
		{"while the peer ACKs the probes, never", z(), Never, 0, Certain},
		{"one probe is on its way", z(timer(probe, 10, 1)), Never, 0, Likely},
		{"a FIN behind the data changes nothing for an owner", z(state(tcp.FinWait1)), Never, 0, Certain},
		{"15 unanswered probes end it", z(timer(probe, 120, 15), rto(0.2, 15)), By, 120, Likely},
		{"two are unanswered: 13 more, from 6.4 s up to 120 s each", z(timer(probe, 6.4, 2)), By, 6.4 + 12.8 + 25.6 + 51.2 + 102.4 + 9*120, Likely},
		{"an orphan: until the back-off has reached its maximum", z(state(tcp.FinWait1), noFile, timer(probe, 6.4, 0)), By, 6.4 + 12.8 + 25.6 + 51.2 + 102.4 + 120, Certain},
		{"a LAST_ACK with an owner, the probes unanswered", z(state(tcp.LastAck), timer(probe, 120, 15), rto(0.2, 15)), By, 120, Likely},
		{"an orphan's unanswered probes: eight, while the wait is short", z(state(tcp.FinWait1), noFile, timer(probe, 6.4, 7)), By, 6.4 + 12.8, Certain},
		{"TCP_USER_TIMEOUT before the first probe", z(timer(probe, 0.2, 0), rto(0.2, 0), options(observe.Options{UserTimeout: sec(60)})), By, 60.2, Certain},
		{"TCP_USER_TIMEOUT counts from the first probe, answered or not", z(timer(probe, 6.4, 0), options(observe.Options{UserTimeout: sec(60)})), By, 60 - 6, Certain},
	})
}

// The kernel sends the rest of what an application left, for as long as the peer takes it.
func TestOutlookOfDataThatFlowsBeforeTheFIN(t *testing.T) {
	flows := func(more ...edit) []edit {
		return append([]edit{state(tcp.FinWait1), sendQ(9000), timer(retransmit, 0.2, 0), quiet(1, 300, 1)}, more...)
	}
	runEndings(t, bare, []endRow{
		{"the application holds it", flows(), Never, 0, Certain},
		{"it is gone: with the last of the data", flows(noFile), Soon, 0, Likely},
		{"to a slow reader", flows(noFile, timer(probe, 5, 0), rto(0.2, 5)), Soon, 0, Likely},
	})
}

func TestOutlookOfFinWait2(t *testing.T) {
	fw2 := func(more ...edit) []edit { return append([]edit{state(tcp.FinWait2), noFile, carried(0, 1)}, more...) }
	runEndings(t, bare, []endRow{
		{"a mini-socket: at the time of its timer", fw2(noInfo, timer(timeWait, 41.5, 0)), At, 41.5, Certain},
		{"no timer was seen: fin_timeout at most", fw2(), By, 60, Likely},
		{"TCP_LINGER2 of 90 s: 30 s keepalive timer, 30 s mini-socket", fw2(timer(keepalive, 30, 0), options(observe.Options{Linger2MS: 90000})), By, 60, Certain},
		{"3.5 × RTO if that is longer", fw2(timer(keepalive, 10, 0), rto(20, 0)), By, 20, Certain},
		{"owned with keepalive: the peer answers", []edit{state(tcp.FinWait2), carried(0, 1), timer(keepalive, 5, 0)}, Never, 0, Likely},
	})
	runEndings(t, sysctls(observe.Sysctl{FinTimeout: sec(90)}), []endRow{
		{"fin_timeout = 90 lasts 60 s: 30 s on a keepalive timer, 30 s as a mini-socket", fw2(timer(keepalive, 30, 0)), By, 60, Certain},
	})
}

func TestOutlookWithThePeerOnThisHost(t *testing.T) {
	peer := func(more ...edit) func() *world {
		return func() *world {
			w := newWorld()
			w.add(append([]edit{state(tcp.FinWait2), local("127.0.0.1:5000"), remote("127.0.0.1:40000")}, more...)...)
			return w
		}
	}
	here := func(more ...edit) []edit {
		return append([]edit{recvQ(1), local("127.0.0.1:40000"), remote("127.0.0.1:5000")}, more...)
	}
	runEndings(t, bare, []endRow{
		{"known gone: on the next write (C8)", here(), OnWrite, 0, Certain},
		{"known gone, with keepalive: the next probe draws a RST (C9)", here(timer(keepalive, 12, 0)), At, 12, Likely},
		{"the same on ::1", []edit{recvQ(1), local("[::1]:40000"), remote("[::1]:5000")}, OnWrite, 0, Certain},
		{"and IPv4-mapped", []edit{recvQ(1), local("[::ffff:127.0.0.1]:40000"), remote("[::ffff:127.0.0.1]:5000")}, OnWrite, 0, Certain},
		{"another host: not known", []edit{recvQ(1)}, Never, 0, Certain},
	})
	runEndings(t, peer(), []endRow{
		{"C5: the peer has only shut down its side: never", here(), Never, 0, Certain},
		{"and it answers every keepalive probe", here(timer(keepalive, 12, 0)), Never, 0, Certain},
		{"the peer in another namespace is another one", here(inNS(7)), Never, 0, Certain},
	})
	runEndings(t, peer(noFile, timer(timeWait, 30, 0)), []endRow{
		{"an orphan: on the next write", here(), OnWrite, 0, Certain},
		{"probes before its FIN_WAIT_2 ends are ACKed, the first after it is reset", here(timer(keepalive, 12, 0), options(observe.Options{KeepAlive: true, KeepIdle: sec(15)})), At, 12 + 2*15, Certain},
	})
	runEndings(t, peer(noFile, noInfo, timer(keepalive, 30, 0), options(observe.Options{Linger2MS: 90000})), []endRow{
		{"an orphan on its first timer has the mini-socket's time before it", here(timer(keepalive, 50, 0), options(observe.Options{KeepIdle: sec(15)})), At, 65, Certain},
	})
	runEndings(t, peer(inNS(7)), []endRow{
		{"loopback means another connection in each namespace", here(), OnWrite, 0, Certain},
	})
	runEndings(t, func() *world { w := newWorld(); w.limit(observe.LimitTorn); return w }, []endRow{
		{"a torn dump may lack the peer", here(), Never, 0, Certain},
	})
	runEndings(t, func() *world { w := newWorld(); w.Namespaces[0].Entered = false; return w }, []endRow{
		{"so may a namespace that was not entered", here(), Never, 0, Certain},
	})
	runEndings(t, func() *world {
		w := newWorld()
		w.listen("127.0.0.1:40000", 1, 5, appPID)
		return w
	}, []endRow{
		{"never-accepted: nobody can write", here(noFile), Never, 0, Certain},
	})
}

func TestTheMostLastingOutlookIsShown(t *testing.T) {
	w := newWorld()
	w.add(recvQ(1), timer(keepalive, 10, 0), options(observe.Options{KeepAlive: true}))
	w.add(recvQ(1))
	w.add(recvQ(1), timer(keepalive, 100, 0))
	f := only(t, w.report())
	if f.Outlook.Kind != Never || f.Outlooks[Never] != 1 || f.Outlooks[By] != 2 || len(f.Outlooks) != 2 {
		t.Errorf("%+v of %v", f.Outlook, f.Outlooks)
	}
}
