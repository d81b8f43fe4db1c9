package bpfiter

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/closewait/closewait/tcp"
)

// encode makes a record of the given kind whose other bytes are zero.
func encode(kind Kind, size int) []byte {
	b := make([]byte, size)
	b[0] = byte(kind)
	binary.LittleEndian.PutUint16(b[2:], uint16(size))
	return b
}

func encodeSocket(family byte) []byte {
	b := encode(KindSocket, sizeRecord)
	b[5] = family
	return b
}

func decoded(t *testing.T, b []byte) Record {
	t.Helper()
	var r Record
	if n, err := decode(b, 1000, &r); err != nil || n != len(b) {
		t.Fatalf("decode takes %d of %d bytes: %v", n, len(b), err)
	}
	return r
}

func TestAddressesAndFlags(t *testing.T) {
	six := encodeSocket(familyIPv6)
	copy(six[40:], netip.MustParseAddr("::ffff:192.0.2.1").AsSlice())
	copy(six[56:], netip.MustParseAddr("2001:db8::2").AsSlice())
	binary.BigEndian.PutUint16(six[72:], 80)
	binary.BigEndian.PutUint16(six[74:], 5000)
	six[1] = flagKeepAlive | flagSubflow | flagTimes
	six[4] = byte(tcp.CloseWait)
	r := decoded(t, six)
	if r.Local != netip.MustParseAddrPort("[::ffff:192.0.2.1]:80") || r.Remote != netip.MustParseAddrPort("[2001:db8::2]:5000") {
		t.Errorf("addresses are %v and %v", r.Local, r.Remote)
	}
	if !r.KeepAlive || !r.Subflow || !r.HasTimes || r.HasTCP || r.State != tcp.CloseWait {
		t.Errorf("decoded %+v", r)
	}
	six[4] = byte(tcp.Listen)
	if r := decoded(t, six); r.Remote.IsValid() {
		t.Errorf("a listener has the remote address %v", r.Remote)
	}
}

func TestWrongRecordsAreErrors(t *testing.T) {
	wrongSize := encodeSocket(familyIPv4)
	wrongSize[2]--
	for name, b := range map[string][]byte{
		"unknown kind":   encode(9, sizeRecord),
		"kind 0":         make([]byte, sizeRecord),
		"wrong size":     wrongSize,
		"unknown family": encodeSocket(1),
		"long netns":     encode(KindNetNS, sizeHeld),
	} {
		var r Record
		if n, err := decode(b, 250, &r); err == nil {
			t.Errorf("%s: decode takes %d bytes without an error", name, n)
		}
	}
}

func TestMillisRoundsAsTheKernel(t *testing.T) {
	for _, row := range []struct {
		hz            hertz
		jiffies, want uint32
	}{
		{250, 50, 200}, {250, 1, 4}, {1000, 7, 7}, {100, 3, 30}, {300, 1, 4}, {300, 60, 200}, {1024, 1024, 1000}, {250, 0, 0},
	} {
		if got := row.hz.millis(row.jiffies); got != row.want {
			t.Errorf("%d jiffies at %d Hz are %d ms, want %d", row.jiffies, row.hz, got, row.want)
		}
	}
}
