package pkt

import (
	"fmt"
	"strings"
)

// The matrix says, for every state and every kind of segment, what RFC 9293
// §3.10.7 wants. It knows nothing of the model: what it says comes from the rules
// below, each with the sentence it was made from.

// cell is one field of the matrix.
type cell struct {
	state state
	kind  kind
	at    place
	// loose: RFC 793's rules for RST and SYN instead of RFC 5961's.
	loose bool
}

// state is a row: a state, and how it was reached.
type state struct {
	name string
	// tcp is the state's name in scripts: TCP_…
	tcp string
	// setup is the part of the script that leads there. 3 is the descriptor.
	setup []string
	// rcvNxt and sndNxt are RCV.NXT and SND.NXT then, in the script's numbers.
	rcvNxt, sndNxt uint32
	// passive: opened by listen().
	passive bool
}

// window is how much the endpoint takes from the peer's first octet on; its
// right edge stays where it is, for a FIN frees no room that is worth an update
// (§3.8.6.2.2).
const window = 65535

// kind is a column: control bits.
type kind struct {
	name, letters string
}

func (k kind) has(letter string) bool { return strings.Contains(k.letters, letter) }

// length is SEG.LEN: it counts SYN and FIN.
func (k kind) length() uint32 {
	n := uint32(0)
	if k.has("S") {
		n++
	}
	if k.has("F") {
		n++
	}
	return n
}

func kinds() []kind {
	return []kind{
		{"ack", "."}, {"fin", "F"}, {"fin-ack", "F."}, {"rst", "R"}, {"rst-ack", "R."}, {"syn", "S"}, {"syn-ack", "S."}, {"syn-fin", "SF"},
	}
}

// place is where in the window the segment lies.
type place string

const (
	leftEdge     place = "left-edge"
	rightEdge    place = "right-edge"
	outsideLeft  place = "outside-left"
	outsideRight place = "outside-right"
)

func places() []place { return []place{leftEdge, rightEdge, outsideLeft, outsideRight} }

// seq is SEG.SEQ. The window ends at octet 1+65535, whatever was received.
func (c cell) seq() uint32 {
	next := c.state.rcvNxt
	if c.state.tcp == "TCP_SYN_SENT" {
		next = 0 // nothing is expected yet: these are the peer's numbers to choose
	}
	switch c.at {
	case leftEdge:
		return next
	case rightEdge:
		return window
	case outsideLeft:
		return next - 1
	}
	return window + 1
}

// ack is SEG.ACK: all that was sent. In SYN-SENT, where it decides, it lies at
// the edges of what is acceptable, which is one number, or beside it.
func (c cell) ack() uint32 {
	if c.state.tcp == "TCP_SYN_SENT" {
		switch c.at {
		case outsideLeft:
			return c.state.sndNxt - 1
		case outsideRight:
			return c.state.sndNxt + 1
		}
	}
	return c.state.sndNxt
}

// inWindow is "RCV.NXT =< n < RCV.NXT+RCV.WND".
func (c cell) inWindow(n uint32) bool {
	return n-c.state.rcvNxt < window+1-c.state.rcvNxt
}

// acceptable is the table of §3.10.7.4, first, with RCV.WND > 0.
func (c cell) acceptable() bool {
	n := c.kind.length()
	return c.inWindow(c.seq()) || n > 0 && c.inWindow(c.seq()+n-1)
}

// answer is what must come of a cell.
type answer struct {
	// sent is what the endpoint must send, as a script writes it; "" is nothing.
	sent string
	// next is the state after it, "" if it stays.
	next string
	// err is what SO_ERROR says then, "" if it is not asked.
	err string
}

// rule is one sentence of the RFC as a condition and an answer.
type rule struct {
	quote string
	holds func(c cell) bool
	then  func(c cell) answer
}

// decide is the first rule that holds.
func (c cell) decide() (rule, answer) {
	rules := synchronizedRules()
	switch c.state.tcp {
	case "TCP_CLOSE":
		rules = closedRules()
	case "TCP_LISTEN":
		rules = listenRules()
	case "TCP_SYN_SENT":
		rules = synSentRules()
	}
	for _, r := range rules {
		if r.holds(c) {
			return r, r.then(c)
		}
	}
	panic(fmt.Sprintf("no rule for %+v", c))
}

func always(cell) bool { return true }

func nothing(cell) answer { return answer{} }

// resetOf is the RST of §3.10.7.1 that answers a segment.
func resetOf(c cell) answer {
	if c.kind.has(".") {
		return answer{sent: fmt.Sprintf("R %d:%[1]d(0)", c.ack())}
	}
	return answer{sent: fmt.Sprintf("R. 0:0(0) ack %d", c.seq()+c.kind.length())}
}

// ackNow is "<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>".
func ackNow(c cell) answer {
	return answer{sent: fmt.Sprintf(". %d:%[1]d(0) ack %d", c.state.sndNxt, c.state.rcvNxt)}
}

// going adds the state that follows.
func (a answer) going(next string) answer {
	a.next = next
	return a
}

func closedRules() []rule {
	return []rule{
		{"§3.10.7.1: An incoming segment containing a RST is discarded.",
			func(c cell) bool { return c.kind.has("R") }, nothing},
		{"§3.10.7.1: An incoming segment not containing a RST causes a RST to be sent in response.",
			always, resetOf},
	}
}

func listenRules() []rule {
	return []rule{
		{"§3.10.7.2, first: An incoming RST should be ignored.",
			func(c cell) bool { return c.kind.has("R") }, nothing},
		{"§3.10.7.2, second: Any acknowledgment is bad if it arrives on a connection still in the LISTEN state. An acceptable reset segment should be formed for any arriving ACK-bearing segment.",
			func(c cell) bool { return c.kind.has(".") }, resetOf},
		{"§3.10.7.2, third: a SYN segment is sent of the form <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>.",
			func(c cell) bool { return c.kind.has("S") },
			func(c cell) answer { return answer{sent: fmt.Sprintf("S. 0:0(0) ack %d", c.seq()+1)} }},
		{"§3.10.7.2, fourth: other data or control: drop the segment, and return.",
			always, nothing},
	}
}

func synSentRules() []rule {
	acceptable := func(c cell) bool { return c.kind.has(".") && c.ack() == c.state.sndNxt }
	return []rule{
		{"§3.10.7.3, first: If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset (unless the RST bit is set).",
			func(c cell) bool { return c.kind.has(".") && !acceptable(c) },
			func(c cell) answer {
				if c.kind.has("R") {
					return answer{}
				}
				return resetOf(c)
			}},
		{"§3.10.7.3, second: If the ACK was acceptable, then signal to the user \"error: connection reset\", drop the segment, enter CLOSED state. Sockets call it ECONNREFUSED.",
			func(c cell) bool { return c.kind.has("R") && acceptable(c) },
			func(cell) answer { return answer{next: "TCP_CLOSE", err: "ECONNREFUSED"} }},
		{"§3.10.7.3, second: Otherwise (no ACK), drop the segment and return.",
			func(c cell) bool { return c.kind.has("R") }, nothing},
		{"§3.10.7.3, fourth: If SND.UNA > ISS (our SYN has been ACKed), change the connection state to ESTABLISHED, form an ACK segment.",
			func(c cell) bool { return c.kind.has("S") && acceptable(c) },
			func(c cell) answer {
				return answer{sent: fmt.Sprintf(". 1:1(0) ack %d", c.seq()+1), next: "TCP_ESTABLISHED"}
			}},
		{"§3.10.7.3, fourth: Otherwise, enter SYN-RECEIVED, form a SYN,ACK segment.",
			func(c cell) bool { return c.kind.has("S") },
			func(c cell) answer {
				return answer{sent: fmt.Sprintf("S. 0:0(0) ack %d", c.seq()+1), next: "TCP_SYN_RECV"}
			}},
		{"§3.10.7.3, fifth: if neither of the SYN or RST bits is set, then drop the segment and return.",
			always, nothing},
	}
}

// synchronizedRules are §3.10.7.4's, for SYN-RECEIVED and all states after it.
func synchronizedRules() []rule {
	return append(resetRules(), append(synRules(), append(ackRules(), finRules()...)...)...)
}

// resetRules are those of §3.10.7.4, first and second, as RFC 5961 §3 has them,
// and RFC 793's.
func resetRules() []rule {
	rst := func(c cell) bool { return c.kind.has("R") }
	return []rule{
		{"§3.10.7.4, first: If the RST bit is set and the sequence number is outside the current receive window, silently drop the segment.",
			func(c cell) bool { return rst(c) && !c.inWindow(c.seq()) }, nothing},
		{"§3.10.7.4, first: If the RST bit is set and the sequence number exactly matches the next expected sequence number (RCV.NXT), then TCP endpoints MUST reset the connection.",
			func(c cell) bool { return rst(c) && c.seq() == c.state.rcvNxt }, resetConnection},
		{"RFC 793 page 37: A reset is valid if its sequence number is in the window.",
			func(c cell) bool { return rst(c) && c.loose }, resetConnection},
		{"§3.10.7.4, first: If the RST bit is set and the sequence number does not exactly match the next expected sequence value, yet is within the current receive window, TCP endpoints MUST send an acknowledgment (challenge ACK).",
			rst, ackNow},
	}
}

// resetConnection is §3.10.7.4, second.
func resetConnection(c cell) answer {
	switch c.state.tcp {
	case "TCP_SYN_RECV":
		if c.state.passive {
			// "Return this connection to the LISTEN state and return."
			return answer{next: "TCP_LISTEN"}
		}
		// "Signal the user 'connection refused'."
		return answer{next: "TCP_CLOSE", err: "ECONNREFUSED"}
	case "TCP_CLOSING", "TCP_LAST_ACK", "TCP_TIME_WAIT":
		// "Enter the CLOSED state, delete the TCB, and return."
		return answer{next: "TCP_CLOSE"}
	}
	// "Users should also receive an unsolicited general 'connection reset' signal."
	return answer{next: "TCP_CLOSE", err: "ECONNRESET"}
}

// synRules are those of §3.10.7.4, fourth, with what comes before it.
func synRules() []rule {
	syn := func(c cell) bool { return c.kind.has("S") }
	opening := func(c cell) bool { return c.state.tcp == "TCP_SYN_RECV" }
	return []rule{
		{"§3.10.7.4, first: If an incoming segment is not acceptable, an acknowledgment should be sent in reply.",
			func(c cell) bool { return syn(c) && opening(c) && !c.acceptable() }, ackNow},
		{"§3.10.7.4, first: trimming off any portions that lie outside the window (including SYN and FIN). What is left is a FIN without ACK: fifth, drop the segment.",
			func(c cell) bool { return syn(c) && opening(c) && !c.inWindow(c.seq()) }, nothing},
		{"§3.10.7.4, fourth: If the connection was initiated with a passive OPEN, then return this connection to the LISTEN state and return.",
			func(c cell) bool { return syn(c) && opening(c) && c.state.passive },
			func(cell) answer { return answer{next: "TCP_LISTEN"} }},
		{"RFC 793 page 71: If the SYN is in the window it is an error, send a reset, enter the CLOSED state. (As §3.10.5 forms it.)",
			func(c cell) bool { return syn(c) && c.loose && c.inWindow(c.seq()) },
			func(c cell) answer {
				err := "ECONNRESET"
				if strings.HasPrefix(c.state.name, "time-wait") {
					err = ""
				}
				return answer{sent: fmt.Sprintf("R %d:%[1]d(0)", c.state.sndNxt), next: "TCP_CLOSE", err: err}
			}},
		{"§3.10.7.4, fourth: if the SYN bit is set, irrespective of the sequence number, TCP endpoints MUST send a \"challenge ACK\" to the remote peer.",
			syn, ackNow},
	}
}

// ackRules are those of §3.10.7.4, first and fifth.
func ackRules() []rule {
	bare := func(c cell) bool { return c.kind.letters == "." }
	in := func(states string) func(cell) bool {
		return func(c cell) bool { return bare(c) && strings.Contains(states, c.state.tcp) }
	}
	return []rule{
		{"§3.10.7.4, first: If an incoming segment is not acceptable, an acknowledgment should be sent in reply (unless the RST bit is set).",
			func(c cell) bool { return !c.acceptable() }, ackNow},
		{"§3.10.7.4, fifth: if the ACK bit is off, drop the segment and return.",
			func(c cell) bool { return !c.kind.has(".") }, nothing},
		{"§3.10.7.4, fifth, SYN-RECEIVED: If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED state.",
			in("TCP_SYN_RECV"), func(cell) answer { return answer{next: "TCP_ESTABLISHED"} }},
		{"§3.10.7.4, fifth, FIN-WAIT-1: if the FIN segment is now acknowledged, then enter FIN-WAIT-2.",
			in("TCP_FIN_WAIT1"), func(cell) answer { return answer{next: "TCP_FIN_WAIT2"} }},
		{"§3.10.7.4, fifth, CLOSING: if the ACK acknowledges our FIN, then enter the TIME-WAIT state.",
			in("TCP_CLOSING"), func(cell) answer { return answer{next: "TCP_TIME_WAIT"} }},
		{"§3.10.7.4, fifth, LAST-ACK: If our FIN is now acknowledged, delete the TCB, enter the CLOSED state, and return.",
			func(c cell) bool { return c.state.tcp == "TCP_LAST_ACK" },
			func(cell) answer { return answer{next: "TCP_CLOSE"} }},
		{"§3.10.7.4, seventh (MAY-13): a TCP implementation MAY send an ACK segment acknowledging RCV.NXT when a valid segment arrives that is in the window but not at the left window edge. In TIME-WAIT, where nothing but a FIN is due, ours does.",
			func(c cell) bool { return bare(c) && c.state.tcp == "TCP_TIME_WAIT" && c.at == rightEdge }, ackNow},
		{"§3.10.7.4: an acceptable segment without text or control that brings no news changes nothing, and an ACK is not answered.",
			bare, nothing},
	}
}

// finRules are those of §3.10.7.4, eighth, for FIN|ACK; the ACK is taken first.
func finRules() []rule {
	in := func(states string, at place) func(cell) bool {
		return func(c cell) bool { return strings.Contains(states, c.state.tcp) && (at == "" || c.at == at) }
	}
	// finAcked acknowledges the FIN: RCV.NXT is advanced over it.
	finAcked := func(next string) func(cell) answer {
		return func(c cell) answer {
			return answer{sent: fmt.Sprintf(". %d:%[1]d(0) ack %d", c.state.sndNxt, c.state.rcvNxt+1), next: next}
		}
	}
	early := "§3.10.7.4, seventh: segments with higher beginning sequence numbers SHOULD be held for later processing (SHLD-31); the ACK of what is missing MAY be sent (MAY-13), and ours is."
	return []rule{
		{"§3.10.7.4, fifth and eighth, SYN-RECEIVED: enter ESTABLISHED; eighth: enter the CLOSE-WAIT state.",
			in("TCP_SYN_RECV TCP_ESTABLISHED", leftEdge), finAcked("TCP_CLOSE_WAIT")},
		{"§3.10.7.4, eighth, FIN-WAIT-1: If our FIN has been ACKed (perhaps in this segment), then enter TIME-WAIT.",
			in("TCP_FIN_WAIT1 TCP_FIN_WAIT2", leftEdge), finAcked("TCP_TIME_WAIT")},
		{early, in("TCP_SYN_RECV", ""), func(c cell) answer { return ackNow(c).going("TCP_ESTABLISHED") }},
		{early, in("TCP_ESTABLISHED TCP_FIN_WAIT2", ""), ackNow},
		{early, in("TCP_FIN_WAIT1", ""), func(c cell) answer { return ackNow(c).going("TCP_FIN_WAIT2") }},
		{"§3.10.7.4, seventh, CLOSE-WAIT: This should not occur since a FIN has been received from the remote side. Ignore the segment text. (A second FIN is no other.)",
			in("TCP_CLOSE_WAIT", ""), nothing},
		{"§3.10.7.4, fifth, CLOSING: if the ACK acknowledges our FIN, then enter the TIME-WAIT state. (The FIN: as in CLOSE-WAIT.)",
			in("TCP_CLOSING", ""), func(cell) answer { return answer{next: "TCP_TIME_WAIT"} }},
		{"§3.10.7.4, fifth, TIME-WAIT: The only thing that can arrive in this state is a retransmission of the remote FIN. Acknowledge it, and restart the 2 MSL timeout.",
			in("TCP_TIME_WAIT", ""), ackNow},
	}
}
