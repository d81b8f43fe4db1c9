//go:build linux

package bpfiter

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

// What one pass tells by sums and the other one by one is the same set.
func TestTallyIsThatOfTheDescriptors(t *testing.T) {
	r := open(t, Options{})
	ns := newNamespace(t)
	closeWaits(t, ns, 700)
	var held, told Tally
	ns.do(t, func() (err error) {
		held, err = r.Unowned(func(*Record) error { return nil })
		return err
	})
	var last uint64
	err := r.Owned(func(rec *Record) error {
		if rec.State == tcp.CloseWait && rec.NetNS == ns.id(t) {
			told.Add(rec.Cookie)
			last = rec.Cookie
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, differ := held.Differ(&told); differ || held == (Tally{}) {
		t.Fatal("the tally of the sockets differs from that of their descriptors")
	}
	told[last%buckets] = 0
	in, _ := held.Differ(&told)
	var names []uint64
	ns.do(t, func() error {
		return r.Held(in, func(rec *Record) error {
			names = append(names, rec.Cookie)
			return nil
		})
	})
	for _, name := range names {
		if name%buckets != last%buckets {
			t.Errorf("cookie %d is of bucket %d, asked was %d", name, name%buckets, last%buckets)
		}
		told.Add(name)
	}
	if len(names) == 0 || told != held {
		t.Errorf("the bucket's %d sockets do not make up the difference", len(names))
	}
}

func TestTallyNoticesOneMissing(t *testing.T) {
	var all Tally
	for cookie := range uint64(4096) {
		all.Add(cookie + 1)
	}
	for missing := range uint64(4096) {
		var rest Tally
		for cookie := range uint64(4096) {
			if cookie%buckets == (missing+1)%buckets && cookie != missing {
				rest.Add(cookie + 1)
			}
		}
		if b := (missing + 1) % buckets; rest[b] == all[b] {
			t.Fatalf("without %d bucket %d has the same sum", missing+1, b)
		}
	}
}
