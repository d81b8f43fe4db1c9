package scenario

import (
	"strings"
	"testing"

	"github.com/closewait/closewait/tcp"
)

// wireOf makes packets of a short notation: "> FIN 100", "< DATA 5:10 lost".
// '>' is sent by host 0. A number is the sequence number, after ':' the octets.
func wireOf(t *testing.T, text string) []Packet {
	t.Helper()
	kinds := map[string]tcp.Flags{
		"SYN": tcp.SYN, "SYN|ACK": tcp.SYN | tcp.ACK, "FIN": tcp.FIN | tcp.ACK, "RST": tcp.RST,
		"RST|ACK": tcp.RST | tcp.ACK, "ACK": tcp.ACK, "DATA": tcp.PSH | tcp.ACK, "DATA|FIN": tcp.FIN | tcp.ACK,
	}
	number := func(s string) int {
		n := 0
		for _, r := range s {
			n = n*10 + int(r-'0')
		}
		return n
	}
	var all []Packet
	for _, part := range strings.Split(text, ",") {
		f := strings.Fields(part)
		flags, ok := kinds[f[1]]
		if !ok {
			t.Fatalf("no segment is called %q", f[1])
		}
		seq, octets, _ := strings.Cut(f[2], ":")
		p := Packet{Segment: tcp.Segment{Flags: flags, Seq: tcp.Seq(number(seq)), Len: uint32(number(octets))}}
		if f[0] == "<" {
			p.From = 1
		}
		p.Lost = len(f) > 3
		all = append(all, p)
	}
	return all
}

func TestWireComparesInNormalForm(t *testing.T) {
	for _, row := range []struct{ name, sent, want, problem string }{
		{"as it is", "> FIN 9, < ACK 5", "a→b FIN; b→a ACK", ""},
		{"a pure ACK may be left out", "> FIN 9, < ACK 5, < ACK 5", "a→b FIN", ""},
		{"but not be invented", "> FIN 9", "a→b FIN; b→a ACK", "b→a ACK, nothing more on the wire"},
		{"an ACK is wanted between its neighbours", "< ACK 5, > FIN 9", "a→b FIN; b→a ACK", "b→a ACK, nothing more"},
		{"PSH and the like do not count", "> DATA 1:10", "a→b 10 bytes", ""},
		{"cut data is one", "> DATA 1:10, < ACK 5, > DATA 11:10, > DATA 21:1", "a→b 21 bytes", ""},
		{"but not across the peer's data", "> DATA 1:10, < DATA 5:1, > DATA 11:10", "a→b 10 bytes; b→a 1 byte; a→b 10 bytes", ""},
		{"nor if only a part is lost", "> DATA 1:10, > DATA 11:10 lost", "a→b 10 bytes, 10 bytes lost", ""},
		{"how much may be left open", "> DATA 1:10", "a→b data", ""},
		{"and must be right if said", "> DATA 1:10", "a→b 9 bytes", "a→b 9 bytes, a→b 10 bytes"},
		{"data with a FIN is both", "> DATA|FIN 1:10", "a→b 10 bytes, FIN", ""},
		{"sent again may be left out", "> FIN 9, > FIN 9, > FIN 9", "a→b FIN", ""},
		{"or named, once for all", "> FIN 9, > FIN 9, > FIN 9", "a→b FIN, FIN again", ""},
		{"data again, cut differently", "> DATA 1:10, > DATA 11:10, > DATA 1:15, > DATA 16:5", "a→b 20 bytes, data again", ""},
		{"with new octets it is new", "> DATA 1:10, > DATA 6:10", "a→b 20 bytes", ""},
		{"a lost one is not one that arrives", "> FIN 9 lost", "a→b FIN", "a→b FIN, a→b FIN lost"},
		{"lost, and again", "> FIN 9 lost, > FIN 9", "a→b FIN lost, FIN again", ""},
		{"a RST is a RST", "> RST 9, < RST|ACK 4", "a→b RST; b→a RST", ""},
		{"RST|ACK may be insisted on", "> RST 9", "a→b RST|ACK", "a→b RST|ACK, a→b RST"},
		{"every later RST is again", "> RST 9 lost, > RST|ACK 20", "a→b RST lost, RST again", ""},
		{"a probe is below what was reached", "> FIN 9, > ACK 10, > ACK 9", "a→b FIN, ACK, probe", ""},
		{"and has to be named", "> FIN 9, > ACK 9", "a→b FIN", "nothing more on the wire, a→b probe"},
		{"the end alone", "> FIN 9, < ACK 5, < RST 5", "… b→a RST", ""},
		{"and no other end", "> FIN 9, < RST 5", "… b→a FIN", "b→a FIN, a→b FIN"},
		{"nothing", "> ACK 9", "nothing", ""},
		{"something", "> RST 9", "nothing", "nothing more on the wire, a→b RST"},
		{"a second connection starts afresh", "> SYN 9000, > RST 9001, > SYN 100, > RST 101, > ACK 101", "a→b SYN, RST, SYN, RST, ACK", ""},
	} {
		s, err := Parse(row.name, []byte("hosts a b\nexpect wire "+row.want))
		if err != nil {
			t.Error(err)
			continue
		}
		x := s.Steps[0].(*ExpectWire)
		var sorted sorter
		var seen []WireItem
		for _, p := range wireOf(t, row.sent) {
			for _, item := range sorted.items(p) {
				seen = join(seen, item)
			}
		}
		compare := match
		if x.From {
			compare = matchEnd
		}
		got := ""
		if m := compare(seen, x.Items, s.Hosts); m != nil {
			got = m.wanted + ", " + m.got
		}
		if (row.problem == "") != (got == "") || !strings.HasPrefix(got, row.problem) {
			t.Errorf("%s: got %q, want %q; seen: %s", row.name, got, row.problem, everything(seen, s.Hosts))
		}
	}
}
