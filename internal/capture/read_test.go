package capture

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/closewait/closewait/tcp"
)

var (
	client = netip.MustParseAddrPort("192.0.2.1:40000")
	server = netip.MustParseAddrPort("192.0.2.2:5000")
)

// packet is a whole frame, or what comes above the link if link is raw.
func packet(t testing.TB, link layers.LinkType, from, to netip.AddrPort, edit func(*layers.TCP), data int) []byte {
	t.Helper()
	segment := &layers.TCP{SrcPort: layers.TCPPort(from.Port()), DstPort: layers.TCPPort(to.Port()), Window: 1000}
	edit(segment)
	var network gopacket.SerializableLayer
	kind := layers.EthernetTypeIPv4
	if from.Addr().Is4() {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: net.IP(from.Addr().AsSlice()), DstIP: net.IP(to.Addr().AsSlice())}
		_ = segment.SetNetworkLayerForChecksum(ip)
		network = ip
	} else {
		ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: net.IP(from.Addr().AsSlice()), DstIP: net.IP(to.Addr().AsSlice())}
		_ = segment.SetNetworkLayerForChecksum(ip)
		network, kind = ip, layers.EthernetTypeIPv6
	}
	parts := []gopacket.SerializableLayer{network, segment, gopacket.Payload(make([]byte, data))}
	if link == layers.LinkTypeEthernet {
		mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
		parts = append([]gopacket.SerializableLayer{&layers.Ethernet{SrcMAC: mac, DstMAC: mac, EthernetType: kind}}, parts...)
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, parts...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// teardown is a connection of seven packets and something that is no TCP.
func teardown(t testing.TB, link layers.LinkType) [][]byte {
	flags := func(seq, ack uint32, set string) func(*layers.TCP) {
		return func(s *layers.TCP) {
			s.Seq, s.Ack = seq, ack
			s.SYN, s.ACK, s.FIN, s.RST = strings.Contains(set, "S"), strings.Contains(set, "A"), strings.Contains(set, "F"), strings.Contains(set, "R")
		}
	}
	return [][]byte{
		packet(t, link, client, server, flags(100, 0, "S"), 0),
		packet(t, link, server, client, flags(500, 101, "SA"), 0),
		packet(t, link, client, server, flags(101, 501, "A"), 0),
		packet(t, link, client, server, flags(101, 501, "A"), 10),
		{1, 2, 3},
		packet(t, link, server, client, flags(501, 111, "FA"), 0),
		packet(t, link, client, server, flags(111, 502, "A"), 0),
		packet(t, link, server, client, flags(502, 0, "R"), 0),
	}
}

var began = time.Date(2013, 1, 31, 12, 0, 0, 0, time.UTC)

func info(i int, b []byte) gopacket.CaptureInfo {
	return gopacket.CaptureInfo{Timestamp: began.Add(time.Duration(i) * time.Second), CaptureLength: len(b), Length: len(b)}
}

func pcap(t testing.TB, link layers.LinkType, packets [][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	if err := w.WriteFileHeader(1<<16, link); err != nil {
		t.Fatal(err)
	}
	for i, p := range packets {
		if err := w.WritePacket(info(i, p), p); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func pcapng(t testing.TB, link layers.LinkType, packets [][]byte, lost int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriter(&b, link)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range packets {
		o := pcapgo.NgPacketOptions{}
		if i == lost {
			o.Comments = []string{"sent at 7s of the story", lossRemark}
		}
		if err := w.WritePacketWithOptions(info(i, p), p, o); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBothFormsAndLinks(t *testing.T) {
	for name, link := range map[string]layers.LinkType{"Ethernet": layers.LinkTypeEthernet, "no link": layers.LinkTypeRaw} {
		packets := teardown(t, link)
		for form, file := range map[string][]byte{"pcap": pcap(t, link, packets), "pcapng": pcapng(t, link, packets, 7)} {
			t.Run(name+" "+form, func(t *testing.T) {
				c, err := Read(bytes.NewReader(file))
				if err != nil {
					t.Fatal(err)
				}
				if len(c.Connections) != 1 || c.Packets != 8 || c.Others != 1 || c.Cut {
					t.Fatalf("%d connections, %+v", len(c.Connections), c)
				}
				x := c.Connections[0]
				if x.Ends[0] != client || x.Ends[1] != server || !x.Began.Equal(began) || len(x.Segments) != 7 {
					t.Fatalf("%+v", x)
				}
				want := Segment{At: 3 * time.Second, From: 0, Segment: tcp.Segment{Seq: 101, Ack: 501, Len: 10, Window: 1000, Flags: tcp.ACK}}
				if x.Segments[3] != want {
					t.Errorf("segment %+v, want %+v", x.Segments[3], want)
				}
				if last := x.Segments[6]; last.From != 1 || last.Flags != tcp.RST || last.Lost != (form == "pcapng") {
					t.Errorf("the last is %+v", last)
				}
			})
		}
	}
}

func TestIPv6(t *testing.T) {
	a, b := netip.MustParseAddrPort("[2001:db8::1]:1"), netip.MustParseAddrPort("[2001:db8::2]:2")
	file := pcap(t, layers.LinkTypeEthernet, [][]byte{packet(t, layers.LinkTypeEthernet, a, b, func(s *layers.TCP) { s.FIN, s.ACK = true, true }, 3)})
	c, err := Read(bytes.NewReader(file))
	if err != nil || len(c.Connections) != 1 || c.Connections[0].Segments[0].Len != 3 || c.Connections[0].Ends[0] != a {
		t.Fatalf("%+v, %v", c, err)
	}
}

// Whoever sends the SYN comes first, also if something of the connection before
// was caught the other way round.
func TestTheOpenerComesFirst(t *testing.T) {
	link := layers.LinkTypeEthernet
	packets := append([][]byte{packet(t, link, server, client, func(s *layers.TCP) { s.RST = true }, 0)}, teardown(t, link)...)
	c, err := Read(bytes.NewReader(pcap(t, link, packets)))
	if err != nil || len(c.Connections) != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	if x := c.Connections[0]; x.Ends[0] != client || x.Segments[0].From != 1 || x.Segments[1].From != 0 {
		t.Errorf("%+v", x)
	}
}

func TestWhatIsNoCapture(t *testing.T) {
	file := pcap(t, layers.LinkTypeEthernet, teardown(t, layers.LinkTypeEthernet))
	if c, err := Read(bytes.NewReader(file[:len(file)-10])); err != nil || !c.Cut || len(c.Connections[0].Segments) != 6 {
		t.Errorf("one that is cut off: %+v, %v", c, err)
	}
	for name, b := range map[string][]byte{"nothing": nil, "text": []byte("local and remote are connected"), "two bytes": {1, 2}, "half a head": file[:10]} {
		if _, err := Read(bytes.NewReader(b)); err == nil {
			t.Errorf("%s is read as a capture", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, link := range []layers.LinkType{layers.LinkTypeEthernet, layers.LinkTypeRaw} {
		packets := teardown(f, link)
		f.Add(pcap(f, link, packets))
		f.Add(pcapng(f, link, packets, 1))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Read(bytes.NewReader(b))
		if c == nil {
			return
		}
		n := 0
		for _, x := range c.Connections {
			n += len(x.Segments)
			if len(x.Segments) == 0 || x.Segments[0].At < 0 {
				t.Errorf("connection %+v", x)
			}
		}
		if n+c.Others > c.Packets {
			t.Errorf("%d segments and %d others of %d packets, %v", n, c.Others, c.Packets, err)
		}
	})
}
