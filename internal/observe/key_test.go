package observe

import "testing"

func TestKeys(t *testing.T) {
	for _, row := range []struct {
		s    Socket
		want Key
	}{
		{Socket{NetNS: 1, Cookie: 2, Inode: 3}, Key{NetNS: 1, Cookie: 2}},
		{Socket{NetNS: 1, Cookie: 2}, Key{NetNS: 1, Cookie: 2}}, // never accepted
		{Socket{NetNS: 1, Inode: 3}, Key{NetNS: 1, Inode: 3}},
		{Socket{NetNS: 1, Cookie: 2, Inode: 3, MPTCP: true}, Key{NetNS: 1, Inode: 3}},
		{Socket{NetNS: 1, Cookie: 2, MPTCP: true}, Key{NetNS: 1, Cookie: 2}},
		{Socket{NetNS: 1}, Key{}}, // a mini-socket on some kernels
	} {
		if got := row.s.Key(); got != row.want {
			t.Errorf("%+v: %+v, want %+v", row.s, got, row.want)
		}
	}
}
