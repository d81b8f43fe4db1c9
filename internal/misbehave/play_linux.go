package misbehave

import (
	"fmt"
	"net/netip"
	"time"
)

// play is a kind's script, and what has to be set up for it.
type play struct {
	script func(*scene)
	// inbound: the culprit listens. relay: the peer does as well.
	inbound, relay bool
	// alone: nobody listens; the culprit has no peer.
	alone bool
	// refuse: the peer binds its port and does not listen.
	refuse bool
	// waiting: all connections stay in the accept queue.
	waiting bool
	// bystander: a healthy culprit listens on the same port.
	bystander bool
	mptcp     bool
	// buffer is SO_RCVBUF and SO_SNDBUF of both sides, 0 for the kernel's.
	buffer int
	// linger2 is TCP_LINGER2 of the culprits' sockets.
	linger2 time.Duration
}

// Buffers: tight ones make a full window cheap, roomy ones take an answer whole.
const (
	tight = 4 << 10
	roomy = 512 << 10
)

// plays are the scripts by kind.
var plays = map[Kind]play{
	NeverAccepted:     {script: neverAccepted, inbound: true, waiting: true},
	NeverAcceptedData: {script: neverAcceptedData, inbound: true, waiting: true},
	ReusePort:         {script: reusePort, inbound: true, waiting: true, bystander: true},

	DataUnread:        {script: dataUnread, buffer: roomy},
	DataUnreadPartial: {script: dataUnreadPartial, buffer: roomy},
	DataUnreadInbound: {script: dataUnreadInbound, inbound: true},

	EOFUnread:        {script: eofUnread},
	EOFUnreadInbound: {script: eofUnread, inbound: true},
	EOFPeeked:        {script: eofPeeked},
	Farewell:         {script: farewell},
	TLSPool:          {script: tlsPool},
	BoundedPool:      {script: eofUnread},
	EOFUnreadMPTCP:   {script: eofUnreadMPTCP, mptcp: true},

	EOFIgnored:        {script: eofIgnored},
	EOFIgnoredInbound: {script: eofIgnored, inbound: true},
	EOFCoalesced:      {script: eofCoalesced},
	AnsweredThenKept:  {script: answeredThenKept, inbound: true},
	SlowAnswer:        {script: slowAnswer, inbound: true},
	RelayStuck:        {script: relayStuck, inbound: true, relay: true},
	EOFIgnoredMPTCP:   {script: eofIgnoredMPTCP, mptcp: true},

	HalfCloseInUse: {script: halfCloseInUse, inbound: true},
	Relay:          {script: relay, inbound: true, relay: true},
	RelayBuffering: {script: relayBuffering, inbound: true, relay: true},

	SendBlocked:               {script: sendBlocked, inbound: true, buffer: tight},
	SendBlockedRetransmit:     {script: sendBlockedRetransmit, inbound: true},
	SendBlockedFinWait1:       {script: sendBlockedFinWait1, inbound: true, buffer: tight},
	SendBlockedFinWait1Orphan: {script: sendBlockedFinWait1Orphan, inbound: true, buffer: tight},
	SendBlockedClosing:        {script: sendBlockedClosing, inbound: true, buffer: tight},
	SendBlockedLastAck:        {script: sendBlockedLastAck, inbound: true, buffer: tight},
	SendBlockedLastAckOrphan:  {script: sendBlockedLastAckOrphan, inbound: true, buffer: tight},

	Ownerless: {script: ownerless},

	MaskedWrite:     {script: maskedWrite},
	MaskedKeepAlive: {script: maskedKeepAlive},
	MaskedLinger:    {script: maskedLinger},
	MaskedReset:     {script: maskedReset},
	MaskedUnheard:   {script: maskedUnheard},

	PeerKeepsOpen:      {script: peerKeepsOpen},
	OrphanDraining:     {script: orphanDraining},
	OrphanDrainingLong: {script: orphanDrainingLong, linger2: 120 * time.Second},

	FinUnacked:              {script: finUnacked, inbound: true},
	FinUnackedOrphan:        {script: finUnackedOrphan, inbound: true},
	FinUnackedClosing:       {script: finUnackedClosing, inbound: true},
	FinUnackedLastAck:       {script: finUnackedLastAck, inbound: true},
	FinUnackedLastAckOrphan: {script: finUnackedLastAckOrphan, inbound: true},

	FreshSocket:     {script: freshSocket, alone: true},
	ConnectRefused:  {script: connectRefused, refuse: true},
	RefusedUnasked:  {script: refusedUnasked, refuse: true},
	Churn:           {script: churn, alone: true},
	ExchangeAndIdle: {script: exchangeAndIdle},
}

// playFor finds a spec's script and says what does not fit together.
func playFor(s Spec) (play, error) {
	p, ok := plays[s.Kind]
	if !ok {
		return p, fmt.Errorf("no kind of misbehaviour is called %q: see misbehave.Kinds", s.Kind)
	}
	bad := func(why string) (play, error) { return p, fmt.Errorf("start %s: %s", s.Kind, why) }
	switch {
	case s.Count < 0 || s.Workers < 0 || s.NoFile > 0 && s.Count/max(s.Workers, 1) >= int(s.NoFile):
		return bad("count and workers are not negative, and a worker's part of count is below its limit of open files")
	case s.Mapped && s.IPv6:
		return bad("mapped sockets speak IPv4: leave out IPv6 or Mapped")
	case s.Shared && s.PIDNS:
		return bad("a holder in a pid namespace can not be told its pid: leave out Shared or PIDNS")
	case s.Shared && s.Growth > 0:
		return bad("what is inherited does not grow: leave out Shared or Growth")
	case s.Shared && p.waiting:
		return bad("what was never accepted can not be inherited: leave out Shared")
	}
	if s.Host == "" {
		return p, nil
	}
	ip, err := netip.ParseAddr(s.Host)
	if err != nil || ip.Is4() == s.IPv6 {
		return bad("host " + s.Host + " is no address of the wanted family")
	}
	return p, nil
}
