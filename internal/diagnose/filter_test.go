package diagnose

import (
	"net/netip"
	"testing"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// crowd has one socket of many kinds; its findings are known by their cause.
func crowd() *world {
	w := newWorld()
	w.Namespaces = append(w.Namespaces, observe.Namespace{ID: 7, Name: "blue", Entered: true}, observe.Namespace{ID: 8, Entered: true})
	w.process(200, "/bin/b").Cgroups = []string{"0::/kubepods/pod" + pod + "/" + cid}
	w.process(300, "/bin/c").Cgroups = []string{"0::/system.slice/c.service"}
	w.listen("0.0.0.0:8080", 1, 5, 300)
	w.add(recvQ(1))                                                                                 // eof-unread
	w.add(recvQ(90001), heldBy(200), carried(90001, 0))                                             // data-unread
	w.add(heldBy(300, 100), remote("[2001:db8::5]:443"), local("[2001:db8::1]:40000"))              // eof-ignored, of pid 100
	w.add(toPort, noFile)                                                                           // never-accepted, of pid 300
	w.add(state(tcp.FinWait2), carried(0, 1), inNS(7), heldBy(300), remote("[::ffff:10.9.9.9]:22")) // peer-keeps-open
	w.add(noHolder, inNS(8), remote("[fe80::1%eth0]:9"), local("[fe80::2%eth0]:50000"))             // ownerless
	return w
}

func TestFilter(t *testing.T) {
	net := func(s string, port uint16) []Peer { return []Peer{{netip.MustParsePrefix(s), port}} }
	for _, r := range []struct {
		name string
		f    Filter
		want []Cause
	}{
		{"the zero filter keeps everything", Filter{}, []Cause{EOFUnread, DataUnread, EOFIgnored, NeverAccepted, PeerKeepsOpen, Ownerless}},
		{"a pid", Filter{PIDs: []int{200}}, []Cause{DataUnread}},
		{"any of two pids", Filter{PIDs: []int{200, 100}}, []Cause{EOFUnread, DataUnread, EOFIgnored}},
		{"a pid that inherited it; and the listener's owner", Filter{PIDs: []int{300}}, []Cause{EOFIgnored, NeverAccepted, PeerKeepsOpen}},
		{"no such pid", Filter{PIDs: []int{1}}, nil},
		{"a remote port", Filter{Ports: []uint16{443}}, []Cause{EOFIgnored}},
		{"a local port", Filter{Ports: []uint16{8080}}, []Cause{NeverAccepted}},
		{"a state", Filter{States: []tcp.State{tcp.FinWait2}}, []Cause{PeerKeepsOpen}},
		{"states", Filter{States: []tcp.State{tcp.FinWait2, tcp.LastAck}}, []Cause{PeerKeepsOpen}},
		{"a cause", Filter{Causes: []Cause{Ownerless}}, []Cause{Ownerless}},
		{"a peer", Filter{Peers: net("10.0.0.5/32", 0)}, []Cause{EOFUnread, DataUnread}},
		{"a peer's port too", Filter{Peers: net("10.0.0.5/32", 5001)}, nil},
		{"a network", Filter{Peers: net("10.0.0.0/8", 0)}, []Cause{EOFUnread, DataUnread, PeerKeepsOpen}},
		{"an IPv4 peer whose address was mapped", Filter{Peers: net("10.9.9.9/32", 22)}, []Cause{PeerKeepsOpen}},
		{"an IPv6 network", Filter{Peers: net("2001:db8::/32", 443)}, []Cause{EOFIgnored}},
		{"an address with a zone", Filter{Peers: net("fe80::/10", 0)}, []Cause{Ownerless}},
		{"everything of IPv4 is not everything", Filter{Peers: net("0.0.0.0/0", 0)}, []Cause{EOFUnread, DataUnread, NeverAccepted, PeerKeepsOpen}},
		{"the beginning of a container's id", Filter{Containers: []string{cid[:12]}}, []Cause{DataUnread}},
		{"a pod", Filter{Containers: []string{pod}}, []Cause{DataUnread}},
		{"the beginning of a pod's uid is none", Filter{Containers: []string{pod[:8]}}, nil},
		{"a unit", Filter{Containers: []string{"c.service"}}, []Cause{NeverAccepted, PeerKeepsOpen}},
		{"a namespace by name", Filter{NetNS: []string{"blue"}}, []Cause{PeerKeepsOpen}},
		{"a namespace by inode", Filter{NetNS: []string{"8"}}, []Cause{Ownerless}},
		{"no name is no namespace", Filter{NetNS: []string{""}}, nil},
		{"every criterion has to match", Filter{PIDs: []int{300}, NetNS: []string{"blue"}, States: []tcp.State{tcp.FinWait2}}, []Cause{PeerKeepsOpen}},
		{"and if one does not", Filter{PIDs: []int{100}, NetNS: []string{"blue"}}, nil},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := crowd()
			rep := Diagnose(nil, &w.Snapshot, Options{Filter: r.f})
			got := map[Cause]bool{}
			for _, f := range rep.Findings {
				got[f.Cause] = true
			}
			if len(got) != len(r.want) || len(rep.Findings) != len(r.want) {
				t.Errorf("%s; want %v", told(rep), r.want)
			}
			for _, c := range r.want {
				if !got[c] {
					t.Errorf("%s is missing", c)
				}
			}
			if rep.Totals.CloseWait != 5 || rep.Totals.FinWait2 != 1 || rep.Totals.Stuck+rep.Totals.NotStuck != len(r.want) {
				t.Errorf("totals %+v: states are the whole host's, findings the filtered ones", rep.Totals)
			}
		})
	}
}
