package diagnose

import (
	"encoding/json"
	"reflect"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// kind is a way to be half-closed, and what is to be said of one that is so.
type kind struct {
	cause   Cause
	stuck   bool
	inbound bool
	edits   []edit
}

var kinds = []kind{
	{NeverAccepted, true, true, []edit{toPort, local("10.0.0.1:8081"), noFile, recvQ(1)}},
	{DataUnread, true, false, []edit{recvQ(90001), carried(90001, 10)}},
	{DataUnread, true, true, []edit{toPort, recvQ(90001), carried(90001, 10)}},
	{EOFUnread, true, false, []edit{recvQ(1)}},
	{EOFUnread, true, false, []edit{recvQ(32), quiet(3700, 600, 600)}},
	{EOFUnread, false, false, []edit{recvQ(1), quiet(3700, 3650, 10)}},
	{EOFUnread, true, true, []edit{toPort, recvQ(1)}},
	{EOFIgnored, true, false, nil},
	{EOFIgnored, false, true, []edit{toPort, quiet(3700, 3650, 10)}},
	{HalfCloseInUse, false, true, []edit{toPort, quiet(1, 3650, 600)}},
	{SendBlocked, true, true, []edit{toPort, sendQ(5000), timer(probe, 10, 0)}},
	{SendBlocked, true, false, []edit{sendQ(5000), timer(retransmit, 10, 5)}},
	{Ownerless, true, false, []edit{noHolder, recvQ(1)}},
	{Masked, true, false, []edit{dead}},
	{PeerKeepsOpen, true, false, []edit{state(tcp.FinWait2), carried(0, 10)}},
	{OrphanDraining, false, false, []edit{state(tcp.FinWait2), noFile, noInfo, timer(timeWait, 10, 0)}},
	{FinUnacked, false, false, []edit{state(tcp.LastAck), noFile, sendQ(1), timer(retransmit, 1, 2)}},
	{FinUnacked, false, false, []edit{state(tcp.FinWait1), noFile, sendQ(1), timer(retransmit, 1, 2)}},
}

// identity is how a group is known: what the generator records, and what a finding says.
type identity struct {
	cause         Cause
	stuck         bool
	state         tcp.State
	direction     Direction
	pid           int // 0 for no owner
	local, remote string
}

// population draws a crowd, and records it.
func population(t *rapid.T) (*world, map[identity]int) {
	w := newWorld()
	w.process(200, "/opt/b/bin/b")
	w.process(300, "/opt/c/bin/c")
	w.listen("0.0.0.0:8080", 0, 128, appPID)
	w.listen("[::]:8081", 9, 128, 300)
	services := []string{service, "10.0.0.6:5000", "[2001:db8::6]:443", "[::ffff:10.0.0.7]:5000"}
	record := map[identity]int{}
	for range rapid.IntRange(1, 60).Draw(t, "batches") {
		k := rapid.SampledFrom(kinds).Draw(t, "kind")
		pid := rapid.SampledFrom([]int32{appPID, 200, 300}).Draw(t, "pid")
		to := rapid.SampledFrom(services).Draw(t, "service")
		n := rapid.IntRange(1, 20).Draw(t, "count")
		for range n {
			edits := []edit{heldBy(pid)}
			if !k.inbound {
				edits = append(edits, remote(to))
			}
			s := w.add(append(edits, k.edits...)...)
			record[recordOf(k, s)]++
		}
	}
	return w, record
}

func recordOf(k kind, s *observe.Socket) identity {
	r := identity{cause: k.cause, stuck: k.stuck, state: s.State, direction: Outbound, local: "*", remote: s.Flow().Remote.String()}
	if k.inbound {
		r.direction, r.remote, r.local = Inbound, "*", ":"+strconv.Itoa(int(s.Local.Port()))
	}
	switch {
	case k.cause == NeverAccepted:
		r.pid = 300
	case len(s.Holders) > 0:
		r.pid = int(s.Holders[0].PID)
	}
	return r
}

// TestEveryPopulationIsCountedExactly, against the generator's own record.
func TestEveryPopulationIsCountedExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, record := population(t)
		r := w.report()
		got := map[identity]int{}
		for _, f := range r.Findings {
			k := identity{cause: f.Cause, stuck: f.Stuck, state: f.State, direction: f.Direction, local: f.Local, remote: f.Remote}
			if f.Owner != nil {
				k.pid = f.Owner.PID
			}
			if got[k] > 0 {
				t.Fatalf("two findings of one group: %+v", k)
			}
			got[k] = f.Count
		}
		if !reflect.DeepEqual(got, record) {
			t.Fatalf("got  %v\nwant %v", got, record)
		}
		if problem := unsound(&w.Snapshot, r); problem != "" {
			t.Fatal(problem)
		}
	})
}

// TestOrderOfAPopulationDoesNotShow: neither in one look nor in two.
func TestOrderOfAPopulationDoesNotShow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, _ := population(t)
		second := first.later(time.Duration(rapid.Int64Range(1, 1e12).Draw(t, "interval")))
		second.Sockets = second.Sockets[2+rapid.IntRange(0, len(second.Sockets)-2).Draw(t, "gone"):]
		second.Sockets = append(second.Sockets, first.Sockets[:2]...)
		second.aged(every(3, rapid.IntRange(0, 20).Draw(t, "came"))...)
		for _, prev := range []*observe.Snapshot{nil, &first.Snapshot} {
			want := said(t, Diagnose(prev, &second.Snapshot, Options{Sockets: true}))
			mixed := *second
			mixed.Sockets = rapid.Permutation(second.Sockets).Draw(t, "order")
			if got := said(t, Diagnose(prev, &mixed.Snapshot, Options{Sockets: true})); got != want {
				t.Fatalf("got  %s\nwant %s", got, want)
			}
		}
	})
}

func said(t *rapid.T, r *Report) string {
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestNoSnapshotBreaksADiagnosis: whatever a kernel's types can hold.
func TestNoSnapshotBreaksADiagnosis(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, second := busy(), busy()
		noise := rapid.SliceOfN(rapid.Byte(), 4, 200)
		mutate(&first.Snapshot, noise.Draw(t, "first"))
		mutate(&second.Snapshot, noise.Draw(t, "second"))
		second.TakenAt = rapid.SampledFrom([]time.Time{
			noon, noon.Add(time.Nanosecond), noon.Add(time.Hour), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Unix(0, 0).UTC(),
		}).Draw(t, "taken at")
		for _, prev := range []*observe.Snapshot{nil, &first.Snapshot} {
			if problem := unsound(&second.Snapshot, Diagnose(prev, &second.Snapshot, Options{Sockets: true})); problem != "" {
				t.Fatal(problem)
			}
		}
	})
}
