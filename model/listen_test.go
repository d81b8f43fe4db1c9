package model

import (
	"testing"

	"github.com/closewait/closewait/tcp"
)

func resetForms(t *testing.T) {
	r := in(t, RFC9293(), tcp.Closed)
	r.do(Arrive(tcp.Segment{Seq: 7, Len: 3, Flags: tcp.SYN | tcp.FIN})).wantSent("<SEQ=0><ACK=12><CTL=RST|ACK>")
	r.do(Arrive(tcp.Segment{Seq: 7, Ack: 9, Flags: tcp.ACK})).wantSent("<SEQ=9><CTL=RST>")
	r.do(Arrive(tcp.Segment{Seq: 7, Flags: tcp.RST})).wantSent()
	r.do(Arrive(tcp.Segment{Seq: 7, Ack: 9, Flags: tcp.RST | tcp.ACK})).wantSent()
}

func listenByFlags(t *testing.T) {
	for _, row := range []struct {
		seg  tcp.Segment
		sent string
		to   tcp.State
	}{
		{tcp.Segment{Seq: 7, Flags: tcp.RST}, "", tcp.Listen},
		{tcp.Segment{Seq: 7, Ack: 5, Flags: tcp.RST | tcp.ACK}, "", tcp.Listen},
		{tcp.Segment{Seq: 7, Ack: 5, Flags: tcp.ACK}, "<SEQ=5><CTL=RST>", tcp.Listen},
		{tcp.Segment{Seq: 7, Ack: 5, Flags: tcp.SYN | tcp.ACK}, "<SEQ=5><CTL=RST>", tcp.Listen},
		{tcp.Segment{Seq: 7, Ack: 5, Flags: tcp.FIN | tcp.ACK}, "<SEQ=5><CTL=RST>", tcp.Listen},
		{tcp.Segment{Seq: 7, Flags: tcp.FIN}, "", tcp.Listen},
		{tcp.Segment{Seq: 7, Flags: tcp.SYN}, "<SEQ=100><ACK=8><CTL=SYN|ACK>", tcp.SynReceived},
	} {
		in(t, RFC9293(), tcp.Listen).do(ArriveAt(row.seg, iss)).wantSent(row.sent).wantState(row.to)
	}
	// What comes with the SYN waits for the end of the handshake.
	r := in(t, RFC9293(), tcp.Listen).do(ArriveAt(tcp.Segment{Seq: irs, Len: 20, Flags: tcp.SYN | tcp.FIN, Window: wnd}, iss))
	r.wantSent("<SEQ=100><ACK=301><CTL=SYN|ACK>").wantState(tcp.SynReceived)
	r.arrive(tcp.ACK, 21, 0, 0).wantState(tcp.CloseWait).wantSent("<SEQ=101><ACK=322><CTL=ACK>").do(Read(99)).wantResult(20, OK)
	// Knobs.
	p := RFC9293()
	p.DropSYNFIN = true
	in(t, p, tcp.Listen).do(ArriveAt(tcp.Segment{Seq: irs, Flags: tcp.SYN | tcp.FIN}, iss)).wantSent().wantState(tcp.Listen)
	in(t, Linux(), tcp.Listen).do(ArriveAt(tcp.Segment{Seq: irs, Flags: tcp.SYN | tcp.FIN}, iss)).wantSent().wantState(tcp.Listen)
}
