package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/closewait/closewait/tcp"
)

// Capture is what a file holds.
type Capture struct {
	// Connections are in the order of their first segments.
	Connections []*Connection
	// Packets is how many there were, Others how many of them no TCP segment could
	// be read from.
	Packets, Others int
	// Cut is set if the file ends in the middle of a packet.
	Cut bool
}

// mostPackets bounds what is read of a capture.
const mostPackets = 1 << 20

// ErrTooLong says that a capture has more packets than are read.
var ErrTooLong = fmt.Errorf("the capture has more than %d packets: cut the connection out of it (tcpdump -r FILE -w PART host ADDRESS and port PORT)", mostPackets)

// source is a capture file of either form.
type source interface {
	next() (data []byte, at time.Time, link layers.LinkType, lost bool, err error)
}

// Read reads a capture to its end.
func Read(in io.Reader) (*Capture, error) {
	src, err := open(bufio.NewReader(in))
	if err != nil {
		return nil, err
	}
	c := &Capture{}
	known := map[flow]*Connection{}
	for {
		data, at, link, lost, err := src.next()
		switch {
		case errors.Is(err, io.EOF):
			return c, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			c.Cut = true
			return c, nil
		case err != nil:
			return c, fmt.Errorf("read packet %d of the capture: %w", c.Packets+1, err)
		case c.Packets >= mostPackets:
			return c, ErrTooLong
		}
		c.Packets++
		from, to, s, ok := segmentOf(data, link)
		if !ok {
			c.Others++
			continue
		}
		f := flowOf(from, to)
		conn := known[f]
		if conn == nil {
			conn = &Connection{Ends: [2]netip.AddrPort{from, to}, Began: at}
			known[f] = conn
			c.Connections = append(c.Connections, conn)
		}
		conn.add(from, at, s, lost)
	}
}

// The first four octets of a pcapng file, in either byte order.
const magicNG = 0x0a0d0d0a

func open(in *bufio.Reader) (source, error) {
	head, err := in.Peek(4)
	if err != nil {
		return nil, errors.New("read the capture: it is shorter than a pcap or pcapng file can be")
	}
	if binary.BigEndian.Uint32(head) == magicNG {
		r, err := pcapgo.NewNgReader(in, pcapgo.NgReaderOptions{WantMixedLinkType: true})
		if err != nil {
			return nil, fmt.Errorf("read the capture: %w", err)
		}
		return ngSource{r}, nil
	}
	r, err := pcapgo.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("read the capture, which is neither pcap nor pcapng: %w", err)
	}
	return oldSource{r}, nil
}

type oldSource struct{ r *pcapgo.Reader }

func (s oldSource) next() ([]byte, time.Time, layers.LinkType, bool, error) {
	data, info, err := s.r.ReadPacketData()
	return data, info.Timestamp, s.r.LinkType(), false, err
}

type ngSource struct{ r *pcapgo.NgReader }

// lossRemark is how the lab says that the link lost a segment.
const lossRemark = "the link lost it"

func (s ngSource) next() ([]byte, time.Time, layers.LinkType, bool, error) {
	data, info, options, err := s.r.ReadPacketDataWithOptions()
	if err != nil {
		return nil, time.Time{}, 0, false, err
	}
	link := layers.LinkTypeEthernet
	if i, err := s.r.Interface(info.InterfaceIndex); err == nil {
		link = i.LinkType
	}
	return data, info.Timestamp, link, slices.Contains(options.Comments, lossRemark), nil
}

// segmentOf reads a packet; ok is false for anything but TCP over IP.
func segmentOf(data []byte, link layers.LinkType) (from, to netip.AddrPort, s tcp.Segment, ok bool) {
	p := gopacket.NewPacket(data, link, gopacket.DecodeOptions{Lazy: true, NoCopy: true})
	t, isTCP := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
	if !isTCP {
		return from, to, s, false
	}
	var source, target netip.Addr
	length := 0
	switch ip := p.NetworkLayer().(type) {
	case *layers.IPv4:
		source, _ = netip.AddrFromSlice(ip.SrcIP)
		target, _ = netip.AddrFromSlice(ip.DstIP)
		// The header's own word: what follows it pads a short frame, or was not caught.
		length = int(ip.Length) - int(ip.IHL)*4
	case *layers.IPv6:
		source, _ = netip.AddrFromSlice(ip.SrcIP)
		target, _ = netip.AddrFromSlice(ip.DstIP)
		length = len(ip.Payload)
	}
	length -= int(t.DataOffset) * 4
	if !source.IsValid() || !target.IsValid() || length < 0 {
		return from, to, s, false
	}
	s = tcp.Segment{Seq: tcp.Seq(t.Seq), Ack: tcp.Seq(t.Ack), Len: uint32(length), Window: uint32(t.Window), Flags: flagsOf(t)}
	return netip.AddrPortFrom(source.Unmap(), uint16(t.SrcPort)), netip.AddrPortFrom(target.Unmap(), uint16(t.DstPort)), s, true
}

func flagsOf(t *layers.TCP) (f tcp.Flags) {
	for _, bit := range []struct {
		set bool
		is  tcp.Flags
	}{{t.FIN, tcp.FIN}, {t.SYN, tcp.SYN}, {t.RST, tcp.RST}, {t.PSH, tcp.PSH}, {t.ACK, tcp.ACK}, {t.URG, tcp.URG}} {
		if bit.set {
			f |= bit.is
		}
	}
	return f
}
