//go:build linux

package sockdiag

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/closewait/closewait/tcp"
)

func attribute(typ uint16, v ...byte) []byte { return appendAttribute(nil, typ, v) }

func TestParseRowFields(t *testing.T) {
	msg := tcpRow{family: IPv6, state: tcp.CloseWait, cookie: 0x1_0000_0002}
	msg.attrs = append(msg.attrs, attribute(9999, 1, 2, 3)...) // unknown, and padded
	msg.attrs = append(msg.attrs, attribute(attrShutdown, 3)...)
	msg.attrs = append(msg.attrs, attribute(attrCgroupID, binary.NativeEndian.AppendUint64(nil, 77)...)...)
	msg.attrs = append(msg.attrs, attribute(attrSockOpt, 0x12, 0x01)...)
	msg.attrs = append(msg.attrs, attribute(attrULP|1<<15, attribute(1, []byte("tls\x00")...)...)...)
	var row Row
	if err := parseRow(msg.payload(), &row, TCP); err != nil {
		t.Fatal(err)
	}
	want := Row{
		ID: ID{
			Local: netip.MustParseAddrPort("[2001:db8::1]:80"), Remote: netip.MustParseAddrPort("[2001:db8::2]:5000"),
			Interface: 7, Cookie: 0x1_0000_0002,
		},
		Family: IPv6, State: tcp.CloseWait, Timer: 4, Retrans: 3, Expires: 1500, RQueue: 11, WQueue: 22, UID: 1000, Inode: 4711,
		Shutdown: 3, HasShutdown: true, CgroupID: 77, SockOpt: 0x112, ULP: ULPTLS,
	}
	if row != want {
		t.Errorf("row is\n%+v, want\n%+v", row, want)
	}
}

// TestParseRowOverwrites: nothing of the row before stays.
func TestParseRowOverwrites(t *testing.T) {
	full := tcpRow{family: IPv4, state: tcp.CloseWait, cookie: 5, attrs: attribute(attrInfo, make([]byte, 248)...)}
	bare := tcpRow{family: IPv4, state: tcp.FinWait2, cookie: noCookie}
	var row, fresh Row
	for _, err := range []error{
		parseRow(full.payload(), &row, MPTCP), parseRow(bare.payload(), &row, TCP), parseRow(bare.payload(), &fresh, TCP),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if row != fresh {
		t.Errorf("row is %+v, want %+v", row, fresh)
	}
	if row.Cookie != 0 {
		t.Errorf("INET_DIAG_NOCOOKIE became cookie %d", row.Cookie)
	}
}

// TestInfoOfAnyLength: older kernels send less of tcp_info, newer ones more.
func TestInfoOfAnyLength(t *testing.T) {
	raw := make([]byte, 512)
	for i := range raw {
		raw[i] = 0xff
	}
	for n := range raw {
		for _, proto := range []Protocol{TCP, MPTCP} {
			var row Row
			msg := tcpRow{family: IPv4, state: tcp.CloseWait, attrs: attribute(attrInfo, raw[:n]...)}
			if err := parseRow(msg.payload(), &row, proto); err != nil {
				t.Fatalf("%d bytes: %v", n, err)
			}
			times, last := n >= 60, 248
			if proto == MPTCP {
				times, last = n >= 96, 96
			}
			if !row.HasInfo || row.Info.HasTimes != times {
				t.Errorf("%d bytes of protocol %d: times told is %v", n, proto, row.Info.HasTimes)
			}
			if times && row.Info.LastAckRecv != 1<<32-1 {
				t.Errorf("%d bytes of protocol %d: last ACK %d", n, proto, row.Info.LastAckRecv)
			}
			if n >= last && row.Info.BytesReceived != 1<<64-1 {
				t.Errorf("%d bytes of protocol %d: bytes received %d", n, proto, row.Info.BytesReceived)
			}
		}
	}
}

func TestParseRowRefuses(t *testing.T) {
	good := tcpRow{family: IPv4, state: tcp.CloseWait, attrs: attribute(attrShutdown, 3)}.payload()
	for name, b := range map[string][]byte{
		"nothing":               {},
		"short header":          good[:rowHeader-1],
		"attribute cut":         good[:rowHeader+4],
		"attribute too short":   append(good[:rowHeader:rowHeader], 3, 0, 8, 0),
		"attribute of length 0": append(good[:rowHeader:rowHeader], 0, 0, 8, 0),
		"unknown family":        append([]byte{99}, good[1:]...),
	} {
		var row Row
		if err := parseRow(b, &row, TCP); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestULP(t *testing.T) {
	for want, attr := range map[ULP][]byte{
		ULPTLS:   attribute(1, []byte("tls\x00")...),
		ULPMPTCP: append(attribute(3, 1, 2, 3), attribute(1, []byte("mptcp")...)...),
		ULPOther: {1, 2, 3, 4, 5},
	} {
		if got := parseULP(attr); got != want {
			t.Errorf("%v is %d, want %d", attr, got, want)
		}
	}
}

func FuzzParseRow(f *testing.F) {
	f.Add(tcpRow{family: IPv4, state: tcp.CloseWait}.payload(), false)
	f.Add(tcpRow{family: IPv6, state: tcp.Listen, attrs: attribute(attrInfo, make([]byte, 248)...)}.payload(), true)
	f.Add(tcpRow{family: IPv4, attrs: attribute(attrULP, attribute(1, []byte("tls\x00")...)...)}.payload(), false)
	f.Fuzz(func(t *testing.T, b []byte, mptcp bool) {
		proto := TCP
		if mptcp {
			proto = MPTCP
		}
		var row Row
		if err := parseRow(b, &row, proto); err != nil {
			return
		}
		if !row.Local.IsValid() || !row.Remote.IsValid() || row.MPTCP != mptcp {
			t.Errorf("accepted as %+v", row)
		}
	})
}

func FuzzDatagram(f *testing.F) {
	f.Add(message(typeDone, 0, 1, nil))
	f.Add(append(message(typeByFamily, 2, 1, make([]byte, 72)), message(typeError, 0, 1, []byte{254, 255, 255, 255})...))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := datagram{rest: b}
		read := 0
		for d.next() {
			read += messageHeader + len(d.payload)
			_ = d.status()
		}
		if read > len(b) {
			t.Errorf("read %d bytes of %d", read, len(b))
		}
		if d.err == nil && len(d.rest) != 0 {
			t.Errorf("stopped before %d bytes without an error", len(d.rest))
		}
	})
}

// BenchmarkParseRow must not allocate: a dump has 100,000 rows.
func BenchmarkParseRow(b *testing.B) {
	attrs := attribute(attrShutdown, 1)
	attrs = append(attrs, attribute(attrCgroupID, make([]byte, 8)...)...)
	attrs = append(attrs, attribute(attrSockOpt, 1, 2)...)
	attrs = append(attrs, attribute(attrInfo, make([]byte, 280)...)...)
	for _, family := range []Family{IPv4, IPv6} {
		msg := tcpRow{family: family, state: tcp.CloseWait, attrs: attrs}.payload()
		b.Run(map[Family]string{IPv4: "IPv4", IPv6: "IPv6"}[family], func(b *testing.B) {
			b.ReportAllocs()
			var row Row
			for b.Loop() {
				if err := parseRow(msg, &row, TCP); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestParseRowAllocatesNothing(t *testing.T) {
	attrs := append(attribute(attrInfo, make([]byte, 280)...), attribute(attrULP, attribute(1, []byte("mptcp\x00")...)...)...)
	msg := tcpRow{family: IPv6, state: tcp.CloseWait, attrs: attrs}.payload()
	var row Row
	if n := testing.AllocsPerRun(100, func() { _ = parseRow(msg, &row, TCP) }); n != 0 {
		t.Errorf("%v allocations a row", n)
	}
}
