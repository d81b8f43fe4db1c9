package tcp_test

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/closewait/closewait/tcp"
)

func TestEveryStateSurvivesItsName(t *testing.T) {
	for s := tcp.Established; s <= tcp.NewSynReceived; s++ {
		got, err := tcp.ParseState(s.String())
		if err != nil || got != s {
			t.Errorf("ParseState(%q) = %v, %v; want %v", s.String(), got, err, s)
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back tcp.State
		if err := json.Unmarshal(text, &back); err != nil || back != s {
			t.Errorf("JSON of %v is %s, which reads back as %v, %v", s, text, back, err)
		}
	}
}

func TestParseStateReadsOtherToolsSpellings(t *testing.T) {
	for name, want := range map[string]tcp.State{
		"close-wait": tcp.CloseWait, "CLOSE-WAIT": tcp.CloseWait, "fin-wait-1": tcp.FinWait1,
		"FIN_WAIT2": tcp.FinWait2, "CLOSE": tcp.Closed, "SYN_RECV": tcp.SynReceived, "last_ack": tcp.LastAck,
	} {
		if got, err := tcp.ParseState(name); err != nil || got != want {
			t.Errorf("ParseState(%q) = %v, %v; want %v", name, got, err, want)
		}
	}
	for _, bad := range []string{"", "CLOSEWAITING", "8", "STATE_200"} {
		if got, err := tcp.ParseState(bad); err == nil {
			t.Errorf("ParseState(%q) = %v; want an error", bad, got)
		}
	}
}

func TestHalfClosedIsNeitherOpenNorOver(t *testing.T) {
	half := map[tcp.State]bool{tcp.FinWait1: true, tcp.FinWait2: true, tcp.CloseWait: true, tcp.LastAck: true, tcp.Closing: true}
	for s := tcp.State(0); s < 20; s++ {
		if s.HalfClosed() != half[s] {
			t.Errorf("%v.HalfClosed() = %v", s, s.HalfClosed())
		}
	}
}

func TestUnmappedFlowJoinsBothFamilies(t *testing.T) {
	mapped := tcp.Flow{
		Local:  netip.MustParseAddrPort("[::ffff:127.0.0.1]:80"),
		Remote: netip.MustParseAddrPort("[::ffff:127.0.0.2]:5000"),
	}
	plain := tcp.Flow{Local: netip.MustParseAddrPort("127.0.0.1:80"), Remote: netip.MustParseAddrPort("127.0.0.2:5000")}
	if mapped.Unmapped() != plain {
		t.Errorf("unmapped is %v, want %v", mapped.Unmapped(), plain)
	}
	if plain.Reverse().Reverse() != plain {
		t.Error("reversing twice changes the flow")
	}
}
