package diagnose

import (
	"net/netip"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// unbounded stands for an upper bound that is not known.
const unbounded = -1

func TestAgeBrackets(t *testing.T) {
	for _, r := range []struct {
		name        string
		edits       []edit
		least, most float64
	}{
		{"CLOSE_WAIT: last_ack_recv ≤ time since the FIN ≤ last_data_recv", []edit{quiet(3700, 3650, 600)}, 600, 3650},
		{"if no data was ever received, last_data_recv is the connection's age", []edit{quiet(900, 900, 10), carried(1, 0)}, 10, 900},
		{"a FIN that carried data: both bounds are one", []edit{quiet(3700, 600, 600)}, 600, 600},
		{"clocks that are rounded: never a negative bracket", []edit{quiet(3700, 599, 600)}, 600, 600},
		{"unanswered probes of before the FIN say nothing of the FIN", []edit{sendQ(9), quiet(3700, 3650, 5), timer(probe, 60, 2), rto(0.2, 9)}, 5, 3650},
		{"FIN_WAIT_2: our FIN's ACK came by the last ACK, and the FIN left after the last data", []edit{state(tcp.FinWait2), quiet(3700, 3650, 600)}, 600, 3700},
		{"LAST_ACK: 9 retransmissions of the FIN alone reckon back to the first",
			[]edit{state(tcp.LastAck), sendQ(1), quiet(500, 3650, 400), timer(retransmit, 102.4, 9), rto(102.4, 9)}, 102, 500},
		{"FIN_WAIT_1: data before the FIN may have waited for longer than the FIN",
			[]edit{state(tcp.FinWait1), sendQ(900), quiet(500, 3650, 400), timer(retransmit, 102.4, 9), rto(102.4, 9)}, 0, 500},
		{"LAST_ACK, no retransmission yet", []edit{state(tcp.LastAck), sendQ(1), quiet(500, 3650, 400), timer(retransmit, 0.1, 0), rto(0.2, 0)}, 0, 500},
		{"a dead descriptor is no older than its last ACK, and a RST leaves no time", []edit{dead, quiet(3700, 3650, 600)}, 0, 600},
		{"nothing is known", []edit{noInfo}, 0, unbounded},
		{"a mini-socket tells nothing but the time left", []edit{state(tcp.FinWait2), noFile, noInfo, timer(timeWait, 10, 0)}, 0, unbounded},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld()
			w.add(r.edits...)
			wantAge(t, only(t, w.report()).Oldest, r.least, r.most)
		})
	}
}

func wantAge(t *testing.T, a Age, least, most float64) {
	t.Helper()
	got := float64(unbounded)
	if a.AtMostS != nil {
		got = *a.AtMostS
	}
	if a.AtLeastS != least || got != most {
		t.Errorf("between %v and %v s, want %v and %v", a.AtLeastS, got, least, most)
	}
}

func TestAgeByTwoLooks(t *testing.T) {
	refreshed := []edit{recvQ(1), quiet(3700, 3650, 2), timer(keepalive, 9, 0)}
	for _, r := range []struct {
		name        string
		first       func(w *world) // what the first look saw; nil: nothing
		change      edit
		least, most float64
		stuck       bool
	}{
		{"the state seen earlier: an ACK since does not make it younger", func(w *world) { w.add(refreshed...) }, quiet(3710, 3660, 1), 12, 3660, true},
		{"it was not there 10 s ago: keepalive or not, it is young", nil, nil, 2, 10, false},
		{"it was not half-closed 10 s ago", func(w *world) { w.add(append(refreshed, state(tcp.Established))...) }, nil, 2, 10, false},
		{"the first look was torn: what it lacks proves nothing", func(w *world) { w.limit(observe.LimitTorn) }, nil, 2, 3650, true},
		{"the first look did not enter the namespace", func(w *world) { w.Namespaces[0].Entered = false }, nil, 2, 3650, true},
		{"another reader may give no cookies", func(w *world) { w.Reader = "procfs" }, nil, 2, 3650, true},
		{"another boot: two looks say nothing of each other", func(w *world) { w.Host.BootID = "boot-0" }, nil, 2, 3650, true},
		{"an earlier look that is later", func(w *world) { w.TakenAt = noon.Add(time.Hour) }, nil, 2, 3650, true},
	} {
		t.Run(r.name, func(t *testing.T) {
			prev, cur := newWorld(), newWorld()
			prev.TakenAt = noon.Add(-10 * time.Second)
			if r.first != nil {
				r.first(prev)
			}
			s := cur.add(refreshed...)
			if r.change != nil {
				r.change(s)
			}
			f := only(t, cur.since(prev))
			wantAge(t, f.Oldest, r.least, r.most)
			if f.Stuck != r.stuck {
				t.Errorf("stuck %v", f.Stuck)
			}
		})
	}
}

func TestInodeUsedAgainBetweenTwoLooks(t *testing.T) {
	for _, r := range []struct {
		name   string
		both   edit // of both looks
		before edit // of the first only
		least  float64
	}{
		{"the same socket has aged by the interval", nil, nil, 610},
		{"with another cookie it is another socket", nil, func(s *observe.Socket) { s.Cookie = 77 }, 600},
		{"without cookies the inode and the addresses name it", noCookie, nil, 610},
		{"the same inode with another local address is another socket", noCookie, local("10.0.0.1:50001"), 600},
		{"the same inode with another remote address is another socket", noCookie, remote("10.0.0.6:5000"), 600},
		{"a remote address that is lost is none that differs", noCookie, func(s *observe.Socket) { s.Remote = netip.AddrPort{} }, 610},
	} {
		t.Run(r.name, func(t *testing.T) {
			cur := newWorld()
			s := cur.add(recvQ(1))
			if r.both != nil {
				r.both(s)
			}
			prev := cur.later(0)
			prev.TakenAt = noon.Add(-10 * time.Second)
			if r.before != nil {
				r.before(&prev.Sockets[0])
			}
			if got := only(t, cur.since(prev)).Oldest.AtLeastS; got != r.least {
				t.Errorf("at least %v s, want %v", got, r.least)
			}
		})
	}
}

// The bounds are of whichever is the oldest, and the newest: not of one socket's.
func TestOldestAndNewestAreBounded(t *testing.T) {
	w := newWorld()
	w.add(recvQ(1), quiet(206, 206, 4), timer(keepalive, 71, 0))
	w.add(recvQ(1), quiet(206, 206, 106))
	f := only(t, w.report())
	wantAge(t, f.Oldest, 106, 206)
	wantAge(t, f.Newest, 4, 206)
}

func TestSinceIsTheOldestsBestFigure(t *testing.T) {
	w := newWorld()
	w.add(recvQ(1), quiet(3700, 3650, 600))
	w.add(recvQ(1), quiet(3700, 3650, 1200))
	w.add(recvQ(1), quiet(3700, 3650, 90))
	f := only(t, w.report())
	wantAge(t, f.Oldest, 1200, 3650)
	wantAge(t, f.Newest, 90, 3650)
	if f.Since == nil || !f.Since.Equal(noon.Add(-1200*time.Second)) {
		t.Errorf("since %v", f.Since)
	}
	w.add(recvQ(1), quiet(3700, 3000, 1), timer(keepalive, 1, 0))
	if f = only(t, w.report()); !f.Since.Equal(noon.Add(-3000 * time.Second)) {
		t.Errorf("with keepalive's upper bound: since %v", f.Since)
	}
}
