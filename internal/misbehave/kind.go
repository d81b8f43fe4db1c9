package misbehave

// Kind is one way to misbehave, or to look as if. About says what each does.
type Kind string

// The kinds, by the cause that they show.
const (
	// never-accepted
	NeverAccepted     Kind = "never-accepted"
	NeverAcceptedData Kind = "never-accepted-data"
	ReusePort         Kind = "reuseport"

	// data-unread
	DataUnread        Kind = "data-unread"
	DataUnreadPartial Kind = "data-unread-partial"
	DataUnreadInbound Kind = "data-unread-inbound"

	// eof-unread
	EOFUnread        Kind = "eof-unread"
	EOFUnreadInbound Kind = "eof-unread-inbound"
	EOFPeeked        Kind = "eof-peeked"
	Farewell         Kind = "farewell"
	TLSPool          Kind = "tls-pool"
	BoundedPool      Kind = "bounded-pool"
	EOFUnreadMPTCP   Kind = "eof-unread-mptcp"

	// eof-ignored
	EOFIgnored        Kind = "eof-ignored"
	EOFIgnoredInbound Kind = "eof-ignored-inbound"
	EOFCoalesced      Kind = "eof-coalesced"
	AnsweredThenKept  Kind = "answered-then-kept"
	SlowAnswer        Kind = "slow-answer"
	RelayStuck        Kind = "relay-stuck"
	EOFIgnoredMPTCP   Kind = "eof-ignored-mptcp"

	// half-close-in-use
	HalfCloseInUse Kind = "half-close-in-use"
	Relay          Kind = "relay"
	RelayBuffering Kind = "relay-buffering"

	// send-blocked
	SendBlocked               Kind = "send-blocked"
	SendBlockedRetransmit     Kind = "send-blocked-retransmit"
	SendBlockedFinWait1       Kind = "send-blocked-fin-wait-1"
	SendBlockedFinWait1Orphan Kind = "send-blocked-fin-wait-1-orphan"
	SendBlockedClosing        Kind = "send-blocked-closing"
	SendBlockedLastAck        Kind = "send-blocked-last-ack"
	SendBlockedLastAckOrphan  Kind = "send-blocked-last-ack-orphan"

	// ownerless
	Ownerless Kind = "ownerless"

	// masked
	MaskedWrite     Kind = "masked-write"
	MaskedKeepAlive Kind = "masked-keepalive"
	MaskedLinger    Kind = "masked-linger"
	MaskedReset     Kind = "masked-reset"
	MaskedUnheard   Kind = "masked-unheard"

	// peer-keeps-open and orphan-draining
	PeerKeepsOpen      Kind = "peer-keeps-open"
	OrphanDraining     Kind = "orphan-draining"
	OrphanDrainingLong Kind = "orphan-draining-long"

	// fin-unacked: the peer drops every packet from then on
	FinUnacked              Kind = "fin-unacked"
	FinUnackedOrphan        Kind = "fin-unacked-orphan"
	FinUnackedClosing       Kind = "fin-unacked-closing"
	FinUnackedLastAck       Kind = "fin-unacked-last-ack"
	FinUnackedLastAckOrphan Kind = "fin-unacked-last-ack-orphan"

	// no cause: a look must say nothing
	FreshSocket     Kind = "fresh-socket"
	ConnectRefused  Kind = "connect-refused"
	RefusedUnasked  Kind = "refused-unasked"
	Churn           Kind = "churn"
	ExchangeAndIdle Kind = "exchange-and-idle"
)

// description is one line of the list of kinds.
type description struct {
	kind  Kind
	about string
}

// described lists the kinds. Inbound means that the culprit is the server.
var described = []description{
	// never-accepted
	{NeverAccepted, "inbound: listens, never calls accept; the clients leave"},
	{NeverAcceptedData, "inbound: the same, and the clients sent a request first"},
	{ReusePort, "inbound: of two listeners on one port, one does not accept"},
	// data-unread
	{DataUnread, "outbound: asks, does not read the answer; the server closes"},
	{DataUnreadPartial, "outbound: stops reading in the middle of the answer"},
	{DataUnreadInbound, "inbound: accepts, never reads; the client sends and leaves"},
	// eof-unread
	{EOFUnread, "outbound: an idle pooled connection that the server closed"},
	{EOFUnreadInbound, "inbound: answers, then does not notice that the client left"},
	{EOFPeeked, "outbound: saw the zero with MSG_PEEK and did not take it"},
	{Farewell, "outbound: an idle pooled connection; the server said goodbye before its FIN"},
	{TLSPool, "outbound: an idle pooled TLS connection: a close_notify and the FIN wait"},
	{BoundedPool, "outbound: five dead pooled connections, and never more"},
	{EOFUnreadMPTCP, "outbound: as eof-unread, over Multipath TCP"},
	// eof-ignored
	{EOFIgnored, "outbound: the read returned zero, the socket is kept"},
	{EOFIgnoredInbound, "inbound: the same for a client that left"},
	{EOFCoalesced, "outbound: the last read took data and FIN at once; no read returned zero"},
	{AnsweredThenKept, "inbound: answers a client that half-closed, then does not close"},
	{SlowAnswer, "inbound: a half-closed client waits for its answer: legitimate, looks like eof-ignored"},
	{RelayStuck, "a proxy whose client left waits for the server's EOF too"},
	{EOFIgnoredMPTCP, "outbound: as eof-ignored, over Multipath TCP"},
	// half-close-in-use
	{HalfCloseInUse, "inbound: streams to a client that half-closed: legitimate"},
	{Relay, "a proxy passes a server's stream to a client that half-closed: legitimate"},
	{RelayBuffering, "a proxy collects the server's stream for such a client: legitimate"},
	// send-blocked
	{SendBlocked, "inbound: CLOSE_WAIT, the peer does not read (zero window)"},
	{SendBlockedRetransmit, "inbound: CLOSE_WAIT, the peer's host no longer answers"},
	{SendBlockedFinWait1, "inbound: shut down behind a zero window"},
	{SendBlockedFinWait1Orphan, "inbound: closed behind a zero window"},
	{SendBlockedClosing, "inbound: shut down behind a zero window, then the peer's FIN came"},
	{SendBlockedLastAck, "inbound: CLOSE_WAIT shut down behind a zero window"},
	{SendBlockedLastAckOrphan, "inbound: CLOSE_WAIT closed behind a zero window"},
	// ownerless
	{Ownerless, "outbound: a CLOSE_WAIT descriptor in flight in a unix socket, held by nobody"},
	// masked
	{MaskedWrite, "outbound: wrote in CLOSE_WAIT, drew a RST, kept the descriptor (C8)"},
	{MaskedKeepAlive, "outbound: the same by a keepalive probe (C9); takes some 3 s"},
	{MaskedLinger, "outbound: the peer sent FIN, then RST (SO_LINGER 0)"},
	{MaskedReset, "outbound: the peer closed with data unread: a RST instead of a FIN"},
	{MaskedUnheard, "outbound: as masked-reset, and the peer never sent a byte"},
	// peer-keeps-open and orphan-draining
	{PeerKeepsOpen, "outbound: shut down its side; the peer never closes"},
	{OrphanDraining, "outbound: closed; the kernel waits for the peer in a mini-socket"},
	{OrphanDrainingLong, "outbound: the same with TCP_LINGER2 120 s: a full socket, keepalive timer"},
	// fin-unacked: the peer drops every packet from then on
	{FinUnacked, "inbound: FIN_WAIT_1, shut down"},
	{FinUnackedOrphan, "inbound: FIN_WAIT_1, closed"},
	{FinUnackedClosing, "inbound: CLOSING: the peer's FIN came, its ACKs do not"},
	{FinUnackedLastAck, "inbound: LAST_ACK, shut down"},
	{FinUnackedLastAckOrphan, "inbound: LAST_ACK, closed"},
	// no cause: a look must say nothing
	{FreshSocket, "sockets never connected"},
	{ConnectRefused, "sockets whose connect was refused, kept"},
	{RefusedUnasked, "the same, non-blocking: nobody asked how the connect ended"},
	{Churn, "connects, half-closes, forks, execs and exits as fast as it can"},
	{ExchangeAndIdle, "outbound: healthy idle connections"},
}

// About says in one line what programs of the kind do. It is empty for an
// unknown kind.
func (k Kind) About() string {
	for _, d := range described {
		if d.kind == k {
			return d.about
		}
	}
	return ""
}

// Privileged reports whether programs of the kind lose packets, for which recent
// kernels want CAP_NET_ADMIN.
func (k Kind) Privileged() bool {
	switch k {
	case SendBlockedRetransmit, FinUnacked, FinUnackedOrphan, FinUnackedClosing, FinUnackedLastAck, FinUnackedLastAckOrphan:
		return true
	}
	return false
}

// Kinds lists all kinds, in the order of the causes they show.
func Kinds() []Kind {
	all := make([]Kind, len(described))
	for i, d := range described {
		all[i] = d.kind
	}
	return all
}
