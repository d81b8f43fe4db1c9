package pkt

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closewait/closewait/model"
)

//go:generate go test -run TestMatrix . -update

var update = flag.Bool("update", false, "rewrite golden files and the scripts of the matrix")

// states are the rows. Every script keeps its descriptor, so that the state can
// be asked for after the end.
func states() []state {
	open := []string{
		"+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)",
		"+0 > S 0:0(0) <...>",
		"+0.01 < S. 0:0(0) ack 1 win 32767 <mss 1460>",
		"+0 > . 1:1(0) ack 1",
	}
	then := func(more ...string) []string { return append(append([]string(nil), open...), more...) }
	shut := []string{"+0 shutdown(3, SHUT_WR) = 0", "+0 > F. 1:1(0) ack 1"}
	peerFIN := []string{"+0.01 < F. 1:1(0) ack 1 win 32767", "+0 > . 1:1(0) ack 2"}
	listen := []string{"+0 bind(3, ..., ...) = 0", "+0 listen(3, 1) = 0"}
	crossed := []string{open[0], open[1], "+0.01 < S 0:0(0) win 32767 <mss 1460>", "+0 > S. 0:0(0) ack 1 <...>"}
	return []state{
		{name: "closed", tcp: "TCP_CLOSE", setup: listen[:1], rcvNxt: 1, sndNxt: 1},
		{name: "listen", tcp: "TCP_LISTEN", setup: listen, rcvNxt: 1, sndNxt: 1, passive: true},
		{name: "syn-sent", tcp: "TCP_SYN_SENT", setup: open[:2], rcvNxt: 1, sndNxt: 1},
		{name: "syn-received-passive", tcp: "TCP_SYN_RECV", rcvNxt: 1, sndNxt: 1, passive: true,
			setup: append(append([]string(nil), listen...), "+0.01 < S 0:0(0) win 32767 <mss 1460>", "+0 > S. 0:0(0) ack 1 <...>")},
		{name: "syn-received-active", tcp: "TCP_SYN_RECV", setup: crossed, rcvNxt: 1, sndNxt: 1},
		{name: "established", tcp: "TCP_ESTABLISHED", setup: open, rcvNxt: 1, sndNxt: 1},
		{name: "fin-wait-1", tcp: "TCP_FIN_WAIT1", setup: then(shut...), rcvNxt: 1, sndNxt: 2},
		{name: "fin-wait-2", tcp: "TCP_FIN_WAIT2", setup: then(shut[0], shut[1], "+0.01 < . 1:1(0) ack 2 win 32767"), rcvNxt: 1, sndNxt: 2},
		{name: "close-wait", tcp: "TCP_CLOSE_WAIT", setup: then(peerFIN...), rcvNxt: 2, sndNxt: 1},
		{name: "closing", tcp: "TCP_CLOSING", rcvNxt: 2, sndNxt: 2,
			setup: then(shut[0], shut[1], "+0.01 < F. 1:1(0) ack 1 win 32767", "+0 > . 2:2(0) ack 2")},
		{name: "last-ack", tcp: "TCP_LAST_ACK", setup: then(peerFIN[0], peerFIN[1], shut[0], "+0 > F. 1:1(0) ack 2"), rcvNxt: 2, sndNxt: 2},
		{name: "time-wait-by-fin-wait-2", tcp: "TCP_TIME_WAIT", rcvNxt: 2, sndNxt: 2,
			setup: then(shut[0], shut[1], "+0.01 < . 1:1(0) ack 2 win 32767", "+0.01 < F. 1:1(0) ack 2 win 32767", "+0 > . 2:2(0) ack 2")},
		{name: "time-wait-by-closing", tcp: "TCP_TIME_WAIT", rcvNxt: 2, sndNxt: 2,
			setup: then(shut[0], shut[1], "+0.01 < F. 1:1(0) ack 1 win 32767", "+0 > . 2:2(0) ack 2", "+0.01 < . 2:2(0) ack 2 win 32767")},
		{name: "time-wait-by-fin-wait-1", tcp: "TCP_TIME_WAIT", rcvNxt: 2, sndNxt: 2,
			setup: then(shut[0], shut[1], "+0.01 < F. 1:1(0) ack 2 win 32767", "+0 > . 2:2(0) ack 2")},
	}
}

// matrix is every cell.
func matrix() []cell {
	var all []cell
	for _, s := range states() {
		for _, k := range kinds() {
			for _, at := range places() {
				for _, loose := range []bool{false, true} {
					all = append(all, cell{s, k, at, loose})
				}
			}
		}
	}
	return all
}

// file is where a cell's script is.
func (c cell) file() string {
	rules := "strict"
	if c.loose {
		rules = "loose"
	}
	return filepath.Join("testdata", "matrix", c.state.name, fmt.Sprintf("%s-%s-%s.pkt", c.kind.name, c.at, rules))
}

// segment writes the segment that the cell is about.
func (c cell) segment() string {
	text := fmt.Sprintf("< %s %d:%[2]d(0)", c.kind.letters, c.seq())
	if c.kind.has(".") {
		text += fmt.Sprintf(" ack %d", c.ack())
	}
	text += " win 32767"
	if c.kind.has("S") {
		text += " <mss 1460>"
	}
	return text
}

// script writes the cell's script.
func (c cell) script() string {
	why, want := c.decide()
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("// RFC 9293 %s", why.quote)
	line("//")
	line("// Written by matrix_test.go from the rules in matrixrules_test.go; change those.")
	line("--ip_version=ipv4\n--tolerance_usecs=1000\n")
	set := 0
	if c.loose {
		set = 1
	}
	line(" 0 `sysctl -w net.inet.tcp.insecure_rst=%d net.inet.tcp.insecure_syn=%[1]d net.inet.tcp.recvspace=%d`", set, window)
	line("+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3")
	line("+0 fcntl(3, F_SETFL, O_RDWR | O_NONBLOCK) = 0")
	for _, s := range c.state.setup {
		line("%s", s)
	}
	c.assertState(line, c.state.tcp)
	line("// The segment.")
	line("+0.01 %s", c.segment())
	if want.sent != "" {
		line("+0 > %s", want.sent)
	}
	next := want.next
	if next == "" {
		next = c.state.tcp
	}
	c.assertState(line, next)
	if want.err != "" {
		line("+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [%s], [4]) = 0", want.err)
	}
	line("// And nothing more.")
	line("+0.10 `true`")
	return b.String()
}

// assertState asks for the state. What a listener has begun is no descriptor's:
// its state is looked for in the list of sockets.
func (c cell) assertState(line func(string, ...any), want string) {
	if !c.state.passive {
		line("+0 %%{ assert tcpi_state == %s }%%", want)
		return
	}
	halfOpen, open, closing := 0, 0, 0
	switch want {
	case "TCP_SYN_RECV":
		halfOpen = 1
	case "TCP_ESTABLISHED":
		open = 1
	case "TCP_CLOSE_WAIT":
		closing = 1
	case "TCP_LISTEN":
		if c.kind.letters == "S" && c.state.tcp == "TCP_LISTEN" || c.kind.letters == "SF" && c.state.tcp == "TCP_LISTEN" {
			return // before and after differ: the SYN|ACK says all there is
		}
	}
	for _, s := range []struct {
		name  string
		count int
	}{{"syn-recv", halfOpen}, {"established", open}, {"close-wait", closing}, {"listening", 1}} {
		line("+0 `ss -Htan state %s | wc -l | grep %d`", strings.Replace(s.name, "listening", "listen", 1), s.count)
	}
}

// TestMatrix holds the scripts against the rules, and the model against the
// scripts.
func TestMatrix(t *testing.T) {
	cells := matrix()
	wanted := map[string]bool{}
	for _, c := range cells {
		name, text := c.file(), c.script()
		wanted[name] = true
		if *update {
			write(t, name, text)
		}
		have, err := os.ReadFile(name)
		if err != nil || string(have) != text {
			t.Fatalf("%s is not what the rules say: run go generate ./internal/pkt", name)
		}
		if r := Judge(name, have, Config{Profile: model.RFC9293()}); r.Verdict != Pass {
			t.Error(r.String())
		}
	}
	t.Logf("%d cells", len(cells))
	err := filepath.WalkDir(filepath.Join("testdata", "matrix"), func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !wanted[name] {
			t.Errorf("%s belongs to no cell", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
