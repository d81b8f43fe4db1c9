package lab

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/closewait/closewait/tcp"
)

// serialized is a frame as another implementation writes it.
func serialized(t testing.TB, seg layers.TCP, data string) []byte {
	t.Helper()
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: address(0).AsSlice(), DstIP: address(1).AsSlice()}
	if err := seg.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: mac(0), DstMAC: mac(1), EthernetType: layers.EthernetTypeIPv4}, ip, &seg, gopacket.Payload(data))
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestFramesAreRead(t *testing.T) {
	syn := layers.TCP{
		SrcPort: 5001, DstPort: 5002, Seq: 1 << 31, SYN: true, Window: 64240,
		Options: []layers.TCPOption{
			{OptionType: layers.TCPOptionKindMSS, OptionData: []byte{5, 180}},
			{OptionType: layers.TCPOptionKindNop},
			{OptionType: layers.TCPOptionKindWindowScale, OptionData: []byte{10}},
		},
	}
	f, ok := parseFrame(serialized(t, syn, ""))
	want := frame{
		From: netip.MustParseAddrPort("192.0.2.1:5001"), To: netip.MustParseAddrPort("192.0.2.2:5002"),
		Segment: tcp.Segment{Seq: 1 << 31, Window: 64240, MSS: 1460, Flags: tcp.SYN},
		Scale:   10, HasScale: true, tcp: 34, end: 62,
	}
	if !ok || f != want {
		t.Errorf("read as %+v", f)
	}
	data := layers.TCP{SrcPort: 5001, DstPort: 5002, Seq: 7, Ack: 9, ACK: true, PSH: true, FIN: true, NS: true, Window: 1}
	f, ok = parseFrame(serialized(t, data, "hello"))
	if !ok || f.Segment != (tcp.Segment{Seq: 7, Ack: 9, Len: 5, Window: 1, Flags: tcp.FIN | tcp.PSH | tcp.ACK | tcp.AE}) {
		t.Errorf("read as %+v", f)
	}
}

// TestChecksumsAreThoseOfADevice: the same as another implementation's.
func TestChecksumsAreThoseOfADevice(t *testing.T) {
	for _, data := range []string{"", "x", "hello!", string(bytes.Repeat([]byte{0xff}, 1460))} {
		right := serialized(t, layers.TCP{SrcPort: 5001, DstPort: 5002, Seq: 7, ACK: true}, data)
		captured := bytes.Clone(right)
		captured[34+16], captured[34+17] = 0x12, 0x34
		f, ok := parseFrame(captured)
		if got := f.finished(captured); !ok || !bytes.Equal(got, right) {
			t.Errorf("%d octets: finished as\n%swant\n%s", len(data), hex.Dump(got), hex.Dump(right))
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(serialized(f, layers.TCP{SrcPort: 5001, DstPort: 5002, SYN: true}, ""))
	f.Add(serialized(f, layers.TCP{SrcPort: 5001, DstPort: 5002, ACK: true}, "hello"))
	f.Fuzz(func(t *testing.T, b []byte) {
		seen, ok := parseFrame(b)
		if !ok {
			return
		}
		if int(seen.Segment.Len) > len(b) || seen.end > len(b) || seen.tcp+20 > seen.end {
			t.Errorf("%+v of %d octets", seen, len(b))
		}
		again, ok := parseFrame(seen.finished(b))
		if !ok || again != seen {
			t.Errorf("with its checksum it is %+v, and was %+v", again, seen)
		}
	})
}
