package netstack

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

// syn is a SYN with MSS 1460 and a window scale of 7, then a segment of 3
// octets that offers a window of 512, or 65536 scaled.
var (
	syn = []byte("\x45\x00\x00\x30\x00\x00\x40\x00\x40\x06\x00\x00\xc0\x00\x02\x01\xc0\x00\x02\x02" +
		"\x13\x89\x13\x8a\x00\x00\x00\x64\x00\x00\x00\x00\x70\x02\x72\x00\x00\x00\x00\x00\x02\x04\x05\xb4\x01\x03\x03\x07")
	data = []byte("\x45\x00\x00\x2b\x00\x00\x40\x00\x40\x06\x00\x00\xc0\x00\x02\x01\xc0\x00\x02\x02" +
		"\x13\x89\x13\x8a\x00\x00\x00\x65\x00\x00\x01\x2d\x50\x18\x02\x00\x00\x00\x00\x00abc")
)

func TestSegmentsAreDecoded(t *testing.T) {
	d, peer := &decoder{}, &decoder{scaled: true}
	for _, row := range []struct {
		raw  []byte
		want tcp.Segment
	}{
		{data, tcp.Segment{Seq: 101, Ack: 301, Len: 3, Window: 512, Flags: tcp.PSH | tcp.ACK}},
		{syn, tcp.Segment{Seq: 100, Window: 0x7200, MSS: 1460, Flags: tcp.SYN}},
		{data, tcp.Segment{Seq: 101, Ack: 301, Len: 3, Window: 512, Flags: tcp.PSH | tcp.ACK}},
	} {
		p, ok := d.decode(row.raw, peer)
		if !ok || p.segment != row.want {
			t.Errorf("got %+v, %v; want %+v", p.segment, ok, row.want)
		}
	}
	peer.scaled = true // its SYN|ACK has been seen
	if p, _ := d.decode(data, peer); p.segment.Window != 65536 {
		t.Errorf("window %d, want 65536: both hosts scale", p.segment.Window)
	}
}

func TestWhatIsNoSegmentIsRefused(t *testing.T) {
	for n := range data {
		if _, ok := (&decoder{}).decode(data[:n], &decoder{}); ok {
			t.Errorf("%d bytes of it are taken for a segment", n)
		}
	}
	for at, value := range map[int]byte{0: 0x65, 6: 0x20, 7: 1, 9: 17, 32: 0x40} {
		raw := append([]byte(nil), data...)
		raw[at] = value
		if _, ok := (&decoder{}).decode(raw, &decoder{}); ok {
			t.Errorf("taken for a segment with byte %d = %#x", at, value)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(syn, false)
	f.Add(data, true)
	f.Fuzz(func(t *testing.T, raw []byte, scaled bool) {
		d, peer := &decoder{scale: 14, scaled: scaled}, &decoder{scaled: scaled}
		p, ok := d.decode(raw, peer)
		if ok && int(p.segment.Len) > len(raw) {
			t.Errorf("%d octets of data in %d bytes", p.segment.Len, len(raw))
		}
	})
}
