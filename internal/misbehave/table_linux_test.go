package misbehave_test

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/closewait/closewait/tcp"
)

// line is one socket of /proc/PID/net/tcp or tcp6.
type line struct {
	state        tcp.State
	recvQ, sendQ uint64
	timer        uint64 // as /proc numbers it: see procTimer
	inode        uint64
}

// table reads the sockets of a process's network namespace, by their addresses.
func table(t *testing.T, pid int) map[tcp.Flow]line {
	t.Helper()
	all := map[tcp.Flow]line{}
	for _, name := range []string{"tcp", "tcp6"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, name))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		lines.Scan() // the headings
		for lines.Scan() {
			flow, l := parseLine(t, lines.Text())
			all[flow] = l
		}
		_ = f.Close()
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func parseLine(t *testing.T, text string) (tcp.Flow, line) {
	t.Helper()
	f := strings.Fields(text)
	hexadecimal := func(s string) uint64 {
		v, err := strconv.ParseUint(s, 16, 64)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return v
	}
	send, recv, _ := strings.Cut(f[4], ":")
	timer, _, _ := strings.Cut(f[5], ":")
	inode, err := strconv.ParseUint(f[9], 10, 64)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return tcp.Flow{Local: parseAddress(t, f[1]), Remote: parseAddress(t, f[2])}, line{
		state: tcp.State(hexadecimal(f[3])), sendQ: hexadecimal(send), recvQ: hexadecimal(recv),
		timer: hexadecimal(timer), inode: inode,
	}
}

// parseAddress reads "0100007F:1F90": 32-bit words in the host's order.
func parseAddress(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	words, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(words)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for i := 0; i+4 <= len(b); i += 4 {
		binary.BigEndian.PutUint32(b[i:], binary.NativeEndian.Uint32(b[i:]))
	}
	ip, _ := netip.AddrFromSlice(b)
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return netip.AddrPortFrom(ip, uint16(n))
}
