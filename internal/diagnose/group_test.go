package diagnose

import (
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

func TestServices(t *testing.T) {
	for _, r := range []struct {
		name          string
		build         func(w *world)
		dir           Direction
		local, remote string
	}{
		{"outbound: the remote end", func(w *world) { w.addMany(3, recvQ(1)) }, Outbound, "*", service},
		{"inbound: a listener for the port exists, its address does not matter", func(w *world) {
			w.listen("[::]:8080", 0, 5, appPID)
			w.add(toPort)
			w.add(toPort, local("10.0.0.2:8080"))
		}, Inbound, ":8080", "*"},
		{"IPv4-mapped IPv6 addresses are unmapped before grouping", func(w *world) {
			w.add(remote("[::ffff:10.0.0.5]:5000"), local("[::ffff:10.0.0.1]:40000"))
			w.add(local("10.0.0.1:40001"))
		}, Outbound, "*", service},
		{"no listener, and no ephemeral port: unknown", func(w *world) { w.add(local("10.0.0.1:900")) }, DirectionUnknown, ":900", "*"},
		{"unknown: the lower port is the service's", func(w *world) { w.add(local("10.0.0.1:9000")) }, DirectionUnknown, "*", service},
		{"a service whose listener has gone: many share the local port", func(w *world) {
			for _, from := range []string{"192.0.2.1:1001", "192.0.2.2:1002", "192.0.2.3:1003"} {
				w.add(local("10.0.0.1:50000"), remote(from))
			}
		}, DirectionUnknown, ":50000", "*"},
		{"a namespace's own ephemeral range", func(w *world) {
			w.Namespaces[0].Sysctl.LocalPorts = [2]int{1024, 2048}
			w.add(local("10.0.0.1:1500"))
		}, Outbound, "*", service},
		{"and what is out of it", func(w *world) {
			w.Namespaces[0].Sysctl.LocalPorts = [2]int{1024, 2048}
			w.add(local("10.0.0.1:40000"))
		}, DirectionUnknown, "*", service},
		{"a listener of another address is no sign", func(w *world) {
			w.listen("127.0.0.1:40000", 0, 5, appPID)
			w.add(local("10.0.0.1:40000"))
		}, Outbound, "*", service},
		{"a listener in another namespace is none", func(w *world) {
			w.listen("0.0.0.0:40000", 0, 5, appPID).NetNS = 7
			w.add(local("10.0.0.1:40000"))
		}, Outbound, "*", service},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld()
			r.build(w)
			if f := only(t, w.report()); f.Direction != r.dir || f.Local != r.local || f.Remote != r.remote {
				t.Errorf("%s; want %s %s/%s", told(w.report()), r.dir, r.local, r.remote)
			}
		})
	}
}

func TestManyServicesAreOneFinding(t *testing.T) {
	build := func(services int, more ...edit) *world {
		w := newWorld()
		for i := range services {
			w.add(append([]edit{recvQ(1), remote("10.0.1." + strconv.Itoa(i) + ":443")}, more...)...)
		}
		return w
	}
	if r := build(8).report(); len(r.Findings) != 8 {
		t.Errorf("eight services are eight findings: %s", told(r))
	}
	r := build(9).report()
	if f := only(t, r); f.Remote != "*" || f.Count != 9 || f.Evidence[1].Fact != "they lead to 9 different remote ends" {
		t.Errorf("nine are one: %s %+v", told(r), f.Evidence)
	}
	w := build(9)
	w.add(recvQ(1), remote("10.0.1.3:443"), quiet(9, 9, 9))
	r = w.report()
	if len(r.Findings) != 2 || r.Findings[0].Younger != 1 || r.Findings[1].Count != 1 {
		t.Errorf("the younger twin is joined too: %s, younger %d", told(r), r.Findings[0].Younger)
	}
}

// TestDirectionDoesNotDependOnHowManyThereAre: ports are counted in another way
// where a namespace has many sockets.
func TestDirectionDoesNotDependOnHowManyThereAre(t *testing.T) {
	for _, n := range []int{10, manySockets - 10, manySockets + 10} {
		w := newWorld()
		w.addMany(n, recvQ(1))
		for i := range n {
			w.add(recvQ(0), local("10.0.0.1:50"), remote("192.0.2.7:"+strconv.Itoa(10000+i)))
		}
		r := w.report()
		a, b := by(t, r, EOFUnread), by(t, r, EOFIgnored)
		if a.Direction != Outbound || a.Count != n || b.Direction != DirectionUnknown || b.Local != ":50" || b.Count != n {
			t.Errorf("%d of each: %s", n, told(r))
		}
	}
}

func TestIDs(t *testing.T) {
	build := func() *world {
		w := newWorld()
		w.addMany(4, recvQ(1))
		w.add(dead)
		return w
	}
	ids := func(r *Report) []string {
		var out []string
		for _, f := range r.Findings {
			out = append(out, f.ID)
		}
		slices.Sort(out)
		return out
	}
	want := ids(build().report())
	for name, change := range map[string]func(w *world){
		"the program was restarted": func(w *world) {
			w.Processes[0].PID, w.Processes[0].StartTicks = 7777, 99
			for i := range w.Sockets {
				w.Sockets[i].Holders[0].PID = 7777
			}
		},
		"the sockets came in another order": func(w *world) { slices.Reverse(w.Sockets) },
		"there are more of them":            func(w *world) { w.addMany(10, recvQ(1)) },
		"later":                             func(w *world) { *w = *w.later(1e9) },
		"other sockets, ports and inodes": func(w *world) {
			for i := range w.Sockets {
				w.Sockets[i].Inode += 1000
				w.Sockets[i].Cookie += 1000
				w.Sockets[i].Local = w.Sockets[(i+1)%len(w.Sockets)].Local
			}
		},
		"another worker of the program": func(w *world) { w.process(50, "/opt/app/bin/app"); w.add(recvQ(1), heldBy(50)) },
	} {
		w := build()
		change(w)
		if got := ids(w.report()); !slices.Equal(got, want) {
			t.Errorf("%s: ids %v, want %v", name, got, want)
		}
	}
}

func TestDifferentGroupsHaveDifferentIDs(t *testing.T) {
	w := newWorld()
	w.process(200, "/opt/app/bin/other")
	w.process(201, "/opt/app/bin/app").NetNS = 7 // holds sockets of this namespace all the same
	w.process(202, "/opt/app/bin/app").Cgroups = []string{"0::/system.slice/a.service"}
	w.process(203, "/opt/app/bin/app").Cgroups = []string{"0::/docker/" + cid}
	w.process(204, "/opt/app/bin/app").Cgroups = []string{"0::/docker/" + cid2}
	w.process(205, "/opt/app/bin/app").Cmdline = []string{"(wsgi:horizon)"}
	w.listen("0.0.0.0:8080", 1, 5, appPID)
	w.listen("10.0.0.2:8080", 1, 5, appPID)
	for _, edits := range [][]edit{
		{recvQ(1)}, {recvQ(0)}, {recvQ(1), quiet(9, 9, 9)}, {recvQ(1), remote("10.0.0.6:5000")}, {recvQ(1), remote("10.0.0.5:5001")},
		{recvQ(1), toPort}, {recvQ(1), inNS(7)}, {recvQ(1), heldBy(200)}, {recvQ(1), heldBy(201)}, {recvQ(1), heldBy(202)},
		{recvQ(1), heldBy(203)}, {recvQ(1), heldBy(204)}, {recvQ(1), heldBy(205)}, {recvQ(1), heldBy(999)}, {dead}, {multipath}, {noHolder},
		{noHolder, func(s *observe.Socket) { s.UID = 7 }}, {toPort, noFile}, {toPort, noFile, local("10.0.0.2:8080")},
		{state(tcp.LastAck), sendQ(1), timer(retransmit, 1, 1)}, {state(tcp.FinWait1), sendQ(1), timer(retransmit, 1, 1)},
	} {
		w.add(edits...)
	}
	r := w.report()
	ids := map[string]bool{}
	for _, f := range r.Findings {
		ids[f.ID] = true
	}
	if len(r.Findings) != 22 || len(ids) != 22 {
		t.Errorf("%d findings with %d ids, want 22: %s", len(r.Findings), len(ids), told(r))
	}
}

func TestOrderOfSocketsDoesNotShow(t *testing.T) {
	w := newWorld()
	w.process(200, "/opt/app/bin/app")
	hung(w, appPID, 200)
	w.listen("0.0.0.0:8080", 3, 128, 200) // as long a queue as the other's
	w.add(recvQ(1), quiet(3700, 3650, 600), timer(keepalive, 5, 0))
	w.add(recvQ(1), quiet(3700, 4000, 3650))
	w.add(recvQ(1), quiet(3700, 3650, 3650), local("127.0.0.1:40000"))
	w.addMany(2, recvQ(1), heldBy(200, 100))
	w.add(recvQ(1), local("10.0.0.2:40000"))
	w.add(dead)
	want := w.report()
	slices.Reverse(w.Sockets)
	if got := w.report(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got.Findings, want.Findings)
	}
}
