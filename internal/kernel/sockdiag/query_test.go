//go:build linux

package sockdiag

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/closewait/closewait/tcp"
)

func cookies(rows []Row) []uint64 {
	var all []uint64
	for _, r := range rows {
		all = append(all, r.Cookie)
	}
	return all
}

// TestFilter: the kernel's filter finds exactly the sockets with the addresses.
func TestFilter(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		c, s := v.pair(t)
		_, other := v.pair(t)
		f := flow(t, s)
		here, there, none := cookie(t, s), cookie(t, c), cookie(t, other)
		elsewhere := netip.MustParseAddr("203.0.113.1")
		if v.name == "IPv6" {
			elsewhere = netip.MustParseAddr("2001:db8::1")
		}
		port := func(p uint16) netip.AddrPort { return netip.AddrPortFrom(netip.Addr{}, p) }
		host := func(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, 0) }
		conn := dial(t)
		for _, test := range []struct {
			name                string
			q                   Query
			here, there, others bool
		}{
			{"none", Query{}, true, true, true},
			{"remote", Query{Remote: f.Remote}, true, false, false},
			{"local", Query{Local: f.Local}, true, false, false},
			{"both", Query{Local: f.Local, Remote: f.Remote}, true, false, false},
			{"crossed", Query{Local: f.Remote, Remote: f.Remote}, false, false, false},
			{"remote port", Query{Remote: port(f.Remote.Port())}, true, false, false},
			{"local port", Query{Local: port(f.Remote.Port())}, false, true, false},
			{"both ports", Query{Local: port(f.Local.Port()), Remote: port(f.Remote.Port())}, true, false, false},
			{"remote address", Query{Remote: host(v.addr)}, true, true, true},
			{"unmapped", Query{Remote: host(v.addr.Unmap())}, true, true, true},
			{"port and address", Query{Local: port(f.Local.Port()), Remote: host(v.addr)}, true, false, false},
			{"other address", Query{Remote: host(elsewhere)}, false, false, false},
			{"other address, right port", Query{Remote: netip.AddrPortFrom(elsewhere, f.Remote.Port())}, false, false, false},
			{"one family", Query{Family: v.family, Remote: f.Remote}, true, false, false},
		} {
			got := cookies(dump(t, conn, test.q))
			for _, x := range []struct {
				name   string
				cookie uint64
				want   bool
			}{{"the socket", here, test.here}, {"its peer", there, test.there}, {"another one", none, test.others}} {
				if slices.Contains(got, x.cookie) != x.want {
					t.Errorf("%s: %s found is %v, want %v", test.name, x.name, !x.want, x.want)
				}
			}
		}
	})
}

// TestFamilies: a dump of both is the dumps of each together.
func TestFamilies(t *testing.T) {
	conn := dial(t)
	for _, v := range variants() {
		_, s := v.pair(t)
		other := IPv4
		if v.family == IPv4 {
			other = IPv6
		}
		for family, want := range map[Family]bool{Both: true, v.family: true, other: false} {
			got := cookies(dump(t, conn, Query{Family: family}))
			if slices.Contains(got, cookie(t, s)) != want {
				t.Errorf("%s: found in a dump of family %d is %v, want %v", v.name, family, !want, want)
			}
		}
	}
}

func TestStateSet(t *testing.T) {
	has := func(set StateSet, s tcp.State) bool { return set>>s&1 != 0 }
	set := States(tcp.CloseWait, tcp.Listen)
	for s := tcp.State(0); s < 40; s++ {
		if want := s == tcp.CloseWait || s == tcp.Listen; has(set, s) != want {
			t.Errorf("has %v is %v", s, !want)
		}
		if has(AllStates, s) != s.Valid() {
			t.Errorf("all states has %v is %v", s, !s.Valid())
		}
	}
	if States(0, 40) != 0 {
		t.Errorf("what is no state gives the set %b", States(0, 40))
	}
}

// FuzzFilter: the kernel takes every filter that a Query can express.
func FuzzFilter(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1}, uint16(80), []byte{}, uint16(0), uint8(0))
	f.Add(make([]byte, 16), uint16(0), []byte{192, 0, 2, 1}, uint16(65535), uint8(10))
	conn := dial(f)
	f.Fuzz(func(t *testing.T, local []byte, lport uint16, remote []byte, rport uint16, family uint8) {
		la, _ := netip.AddrFromSlice(local)
		ra, _ := netip.AddrFromSlice(remote)
		q := Query{States: States(tcp.Closing), Local: netip.AddrPortFrom(la, lport), Remote: netip.AddrPortFrom(ra, rport)}
		q.Family = []Family{Both, IPv4, IPv6}[family%3]
		dump(t, conn, q)
	})
}
