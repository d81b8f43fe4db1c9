package model_test

import (
	"fmt"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// A server's peer closes. TCP acknowledges that by itself, and then nothing
// happens until the application does something: that is CLOSE_WAIT.
func ExampleStep() {
	linux := model.Linux()
	now := model.Epoch
	conn := model.NewConn(&linux)
	step := func(e model.Event) model.Result {
		var fx model.Effects
		conn, fx = model.Step(&linux, conn, e, now)
		for _, s := range fx.Segments() {
			s.MSS = 0
			fmt.Println("  sends", s)
		}
		fmt.Println(conn.State())
		return fx.Result
	}
	step(model.OpenPassive())
	step(model.ArriveAt(tcp.Segment{Seq: 300, Flags: tcp.SYN, Window: 4000}, 100))
	step(model.Arrive(tcp.Segment{Seq: 301, Ack: 101, Flags: tcp.ACK, Window: 4000}))
	step(model.Arrive(tcp.Segment{Seq: 301, Ack: 101, Flags: tcp.FIN | tcp.ACK, Window: 4000}))
	if step(model.Read(100)).EOF() {
		step(model.Close())
	}
	step(model.Arrive(tcp.Segment{Seq: 302, Ack: 102, Flags: tcp.ACK, Window: 4000}))
	// Output:
	// LISTEN
	//   sends <SEQ=100><ACK=301><CTL=SYN|ACK>
	// SYN_RECEIVED
	// ESTABLISHED
	//   sends <SEQ=101><ACK=302><CTL=ACK>
	// CLOSE_WAIT
	// CLOSE_WAIT
	//   sends <SEQ=101><ACK=302><CTL=FIN|ACK>
	// LAST_ACK
	// CLOSED
}

// finWait2 is an orphan in FIN-WAIT-2.
func finWait2(p *model.Profile) model.Conn {
	conn := model.NewConn(p)
	for _, e := range []model.Event{
		model.OpenActive(100),
		model.Arrive(tcp.Segment{Seq: 300, Ack: 101, Flags: tcp.SYN | tcp.ACK, Window: 4000}),
		model.Close(),
		model.Arrive(tcp.Segment{Seq: 301, Ack: 102, Flags: tcp.ACK, Window: 4000}),
	} {
		conn, _ = model.Step(p, conn, e, model.Epoch)
	}
	return conn
}

// How an orphan's FIN-WAIT-2 ends decides whether its peer's CLOSE_WAIT can
// last for ever.
func ExampleConn_NextDeadline() {
	for _, p := range []model.Profile{model.RFC9293(), model.Linux(), model.XNU()} {
		conn := finWait2(&p)
		at, on := conn.NextDeadline()
		if !on {
			fmt.Println(p.Name, "waits for ever")
			continue
		}
		conn, fx := model.Step(&p, conn, model.Tick(), at)
		fmt.Println(p.Name, "is", conn.State(), "after", at-model.Epoch, "and sends", fx.Segments())
	}
	// Output:
	// rfc9293 waits for ever
	// linux is CLOSED after 1m0s and sends []
	// xnu is CLOSED after 1m0s and sends [<SEQ=102><ACK=301><CTL=RST|ACK>]
}

// Two connections are alike if their Relatives are equal, whenever and wherever
// in the sequence space they are.
func ExampleConn_Relative() {
	linux := model.Linux()
	open := func(iss, irs tcp.Seq, now model.Time) model.Conn {
		c, _ := model.Step(&linux, model.NewConn(&linux), model.OpenActive(iss), now)
		c, _ = model.Step(&linux, c, model.Arrive(tcp.Segment{Seq: irs, Ack: iss + 1, Flags: tcp.SYN | tcp.ACK}), now)
		return c
	}
	a := open(100, 300, model.Epoch)
	b := open(4294967295, 5, model.Hour)
	fmt.Println(a == b, a.Relative(model.Epoch) == b.Relative(model.Hour))
	// Output: false true
}

// A profile is data: change what you like.
func ExampleProfile() {
	p := model.Linux()
	p.FinWait2.Lasts = 90 * model.Second // sysctl net.ipv4.tcp_fin_timeout=90
	conn := finWait2(&p)
	at, _ := conn.Deadline(model.FinWait)
	conn, _ = model.Step(&p, conn, model.Tick(), at)
	at, _ = conn.Deadline(model.FinWait)
	fmt.Println(at - model.Epoch)
	// Output: 1m0s
}

// No RST answers a RST.
func ExampleResetFor() {
	fmt.Println(model.ResetFor(tcp.Segment{Seq: 7, Ack: 9, Len: 3, Flags: tcp.ACK}))
	fmt.Println(model.ResetFor(tcp.Segment{Seq: 7, Len: 3, Flags: tcp.SYN}))
	_, answered := model.ResetFor(tcp.Segment{Seq: 7, Flags: tcp.RST})
	fmt.Println(answered)
	// Output:
	// <SEQ=9><CTL=RST> true
	// <SEQ=0><ACK=11><CTL=RST|ACK> true
	// false
}
