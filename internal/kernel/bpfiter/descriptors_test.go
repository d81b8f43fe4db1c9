package bpfiter

import "testing"

func TestThreadsWithOneTableShowItOnce(t *testing.T) {
	d := make(descriptors)
	for _, row := range []struct {
		rec  Record
		want bool
	}{
		{Record{PID: 1, TID: 1, FD: 3, Cookie: 7}, false},
		{Record{PID: 1, TID: 2, FD: 3, Cookie: 7}, false},
		{Record{PID: 1, TID: 3, FD: 3, Cookie: 7}, true},
		{Record{PID: 1, TID: 4, FD: 3, Cookie: 8}, false},
		{Record{PID: 2, TID: 5, FD: 3, Cookie: 7}, false},
		{Record{Kind: KindNetNS, PID: 1, TID: 2, FD: 9, NetNS: 1}, false},
		{Record{Kind: KindNetNS, PID: 1, TID: 3, FD: 9, NetNS: 1}, true},
	} {
		if got := d.seen(&row.rec); got != row.want {
			t.Errorf("%+v was seen: %v, want %v", row.rec, got, row.want)
		}
	}
}
