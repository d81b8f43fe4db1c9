package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

func synSentByFlags(t *testing.T) {
	for _, row := range []struct {
		seg  tcp.Segment
		sent string
		to   tcp.State
	}{
		{tcp.Segment{Seq: irs, Ack: iss, Flags: tcp.ACK}, "<SEQ=100><CTL=RST>", tcp.SynSent},
		{tcp.Segment{Seq: irs, Ack: iss + 2, Flags: tcp.SYN | tcp.ACK}, "<SEQ=102><CTL=RST>", tcp.SynSent},
		{tcp.Segment{Seq: irs, Ack: iss + 2, Flags: tcp.RST | tcp.ACK}, "", tcp.SynSent},
		{tcp.Segment{Seq: irs, Flags: tcp.RST}, "", tcp.SynSent},
		{tcp.Segment{Seq: irs, Ack: iss + 1, Flags: tcp.RST | tcp.ACK}, "", tcp.Closed},
		{tcp.Segment{Seq: irs, Ack: iss + 1, Flags: tcp.ACK}, "", tcp.SynSent},
		{tcp.Segment{Seq: irs, Ack: iss + 1, Flags: tcp.FIN | tcp.ACK}, "", tcp.SynSent},
		{tcp.Segment{Seq: irs, Flags: tcp.FIN}, "", tcp.SynSent},
		{tcp.Segment{Seq: irs, Ack: iss + 1, Flags: tcp.SYN | tcp.ACK}, "<SEQ=101><ACK=301><CTL=ACK>", tcp.Established},
		{tcp.Segment{Seq: irs, Flags: tcp.SYN}, "<SEQ=100><ACK=301><CTL=SYN|ACK>", tcp.SynReceived},
	} {
		in(t, RFC9293(), tcp.SynSent).do(Arrive(row.seg)).wantSent(row.sent).wantState(row.to)
	}
	in(t, RFC9293(), tcp.SynSent).do(Arrive(tcp.Segment{Seq: irs, Ack: iss + 1, Flags: tcp.RST | tcp.ACK})).
		do(GetError()).wantResult(0, ECONNREFUSED)
	// Simultaneous open (§3.5, figure 7).
	in(t, RFC9293(), tcp.SynSent).do(Arrive(tcp.Segment{Seq: irs, Flags: tcp.SYN, Window: wnd})).
		do(Arrive(tcp.Segment{Seq: irs, Ack: iss + 1, Flags: tcp.SYN | tcp.ACK, Window: wnd})).
		arrive(tcp.ACK, 0, 0, 0).wantState(tcp.Established)
}
