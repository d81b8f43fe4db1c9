package tcp_test

import (
	"fmt"
	"testing"

	"github.com/closewait/closewait/tcp"
)

func TestSynAndFinTakeSequenceSpace(t *testing.T) {
	for _, row := range []struct {
		flags tcp.Flags
		want  tcp.Seq
	}{{tcp.ACK, 104}, {tcp.SYN, 105}, {tcp.FIN | tcp.ACK, 105}, {tcp.SYN | tcp.FIN, 106}, {tcp.RST, 104}} {
		if end := (tcp.Segment{Seq: 100, Len: 4, Flags: row.flags}).End(); end != row.want {
			t.Errorf("%v ends at %d, want %d", row.flags, end, row.want)
		}
	}
}

func TestFlagsSurviveTheirNames(t *testing.T) {
	for f := tcp.Flags(0); f < 1<<9; f++ {
		got, err := tcp.ParseFlags(f.String())
		if err != nil || got != f {
			t.Errorf("ParseFlags(%q) = %v, %v", f, got, err)
		}
	}
	if f, err := tcp.ParseFlags("fin | ack"); err != nil || f != tcp.FIN|tcp.ACK {
		t.Errorf("read as %v, %v", f, err)
	}
	for _, bad := range []string{"FYN", "FIN,ACK", "|", "FIN|"} {
		if f, err := tcp.ParseFlags(bad); err == nil {
			t.Errorf("ParseFlags(%q) = %v; want an error", bad, f)
		}
	}
	if f := tcp.FIN | tcp.ACK; !f.Any(tcp.FIN|tcp.RST) || f.Has(tcp.FIN|tcp.RST) {
		t.Error("Any wants one bit, Has all")
	}
}

func ExampleSegment() {
	s := tcp.Segment{Seq: 100, Ack: 300, Len: 5, Window: 4000, Flags: tcp.FIN | tcp.PSH | tcp.ACK}
	fmt.Println(s, "takes", s.SeqLen(), "and ends before", s.End())
	// Output: <SEQ=100><ACK=300><DATA=5><CTL=FIN|PSH|ACK> takes 6 and ends before 106
}
