package model

// Profile is a TCP stack, as a table of knobs. It is data: copy one and change
// what you like. Step only reads it.
//
// The zero Profile follows RFC 9293 to the letter, with timers that never fire;
// start from one of [Profiles].
type Profile struct {
	// Name is the profile's, as in "linux".
	Name string

	Acceptance
	Handshake
	Closing
	FinWait2 FinWait2
	TimeWait TimeWait
	Timing
	Keeping
	Sockets
}

// Acceptance are the knobs of segment arrival (RFC 9293 §3.10.7.4).
type Acceptance struct {
	// InsecureRST: any RST in the window resets (RFC 793), not only one at
	// RCV.NXT. FreeBSD's sysctl net.inet.tcp.insecure_rst.
	InsecureRST bool
	// InsecureSYN: a SYN in the window resets (RFC 793) instead of drawing a
	// challenge ACK. FreeBSD's sysctl net.inet.tcp.insecure_syn.
	InsecureSYN bool
	// DropSYNFIN drops every segment with SYN and FIN, unless it carries RST.
	// FreeBSD's sysctl net.inet.tcp.drop_synfin.
	DropSYNFIN bool
	// ResetBeforeFIN: once the peer's FIN is here, a RST at RCV.NXT-1 counts
	// too: its sender had not counted the FIN (Linux, tcp_reset_check).
	ResetBeforeFIN bool
	// ResetAfterSack: a RST right behind all that came early counts too: its sender
	// has sent what is missing, and was told so (Linux, tcp_validate_incoming).
	ResetAfterSack bool
	// RightEdge: a segment that begins right after the window is acceptable.
	RightEdge bool
	// SpaceIsWindow: what the receive buffer has room for is acceptable, whether
	// it has been offered or not (BSD, tcp_do_segment: rcv_wnd).
	SpaceIsWindow bool
	// OldAckCounts: the ACK of an old duplicate is processed, after an ACK is
	// promised for it (BSD); RFC 9293 drops the whole segment.
	OldAckCounts bool
	// LeftEdge: an old duplicate that ends right at RCV.NXT is acceptable: its ACK
	// is processed (Linux). Two hosts that retransmit to each other, and of which
	// only bare ACKs are lost, could not go on otherwise.
	LeftEdge bool
	// ResetAtEdges: the same counts for a RST: at such an edge it draws a challenge
	// ACK, where RFC 5961 §3.2 drops it.
	ResetAtEdges bool
	// AckFirst: a segment with neither ACK, RST nor SYN is dropped before its number
	// is looked at, and so without an answer.
	AckFirst bool
	// AckRange is MAY-12: ACKs older than SND.UNA - MAX.SND.WND are answered
	// and dropped.
	AckRange bool
	// AckFromISS: the same goes for ACKs of what lies before all that was ever sent,
	// in that range or not (Linux).
	AckFromISS bool
	// UnsentAckSilent: in ESTABLISHED an ACK of what was not sent is dropped
	// without an answer (gVisor; Linux before 7.1, but for late releases of 6.18).
	UnsentAckSilent bool
	// ChallengeEvery is the least time between two answers to segments without
	// data that are out of window, or challenged; 0 is no limit.
	ChallengeEvery Time
}

// Handshake are the knobs of opening.
type Handshake struct {
	// SYNRetries is how often a SYN is retransmitted, SYNACKRetries a SYN|ACK.
	SYNRetries, SYNACKRetries uint8
	// SYNLinear is how many retransmissions of a SYN come first, at intervals that
	// do not grow; SYNRetries follow (Linux).
	SYNLinear uint8
	// BadAckRepeatsSYN: in SYN-SENT an ACK of something else draws not only a RST,
	// but also the SYN again, if it has been sent once: the RST may have made
	// room for it (Linux).
	BadAckRepeatsSYN bool
	// BareRST: a passive connection in SYN-RECEIVED believes no RST that
	// carries ACK, SYN or FIN (FreeBSD, syncache_chkrst).
	BareRST bool
	// RepeatedSYN is what a SYN does to a passive connection in SYN-RECEIVED.
	RepeatedSYN RepeatedSYN
	// SYNAlone: data and FIN that come with a SYN in LISTEN are ignored, and come
	// again; else they wait until the handshake is over (RFC 9293 §3.10.7.2).
	SYNAlone bool
	// AnswerAlone is the same for a SYN in SYN-SENT.
	AnswerAlone bool
	// CrossedFIN: a FIN that comes with a SYN that crosses ours counts at once,
	// and takes SYN-SENT to CLOSE-WAIT; it is lost if data comes with it (BSD).
	CrossedFIN bool
	// ListenDropsSYNFIN: a SYN|FIN opens nothing (Linux).
	ListenDropsSYNFIN bool
	// MSS is the most data one segment carries; the peer's option may lower it.
	MSS uint16
}

// RepeatedSYN says what a SYN does to a passive connection in SYN-RECEIVED.
type RepeatedSYN uint8

// The choices of RepeatedSYN.
const (
	// ToListen: as RFC 9293 §3.10.7.4 says: an ACK if it is out of window, which
	// the same SYN is; else back to LISTEN.
	ToListen RepeatedSYN = iota
	// SYNACKIfSame: the same SYN draws the SYN|ACK again, another one in the
	// window a RST, and back to LISTEN. Before that, an ACK of anything else than
	// the SYN|ACK draws a RST, and that is all (Linux, tcp_check_req).
	SYNACKIfSame
	// SYNACKAlways: any SYN draws the SYN|ACK again; a SYN|ACK a RST, and back
	// to LISTEN (FreeBSD, syncache_add, syncache_badack).
	SYNACKAlways
)

// Closing are the knobs of the end of a connection.
type Closing struct {
	// UnreadResets is SHLD-3: close() with unread data sends a RST, not a FIN.
	UnreadResets bool
	// KeepsDataAfterClose: data for an application that has closed is
	// acknowledged and thrown away; else it draws a RST (SHLD-3).
	KeepsDataAfterClose bool
	// ShutdownResets: data also draws a RST when the application has not
	// closed, but shut both directions down (Linux).
	ShutdownResets bool
	// EarlyFINResets: a FIN that does not come next counts as such data: there is
	// some before it (Linux).
	EarlyFINResets bool
	// ReadShutDiscards: after shutdown(SHUT_RD) what is unread, and what still
	// arrives, is acknowledged and thrown away (BSD); else a read returns it (Linux).
	ReadShutDiscards bool
	// ShutdownAgainEnds: shutdown(SHUT_WR) in FIN-WAIT-2, where the FIN is long
	// sent, ends receiving too: reads return zero, what arrives is treated as after
	// SHUT_RD, and the FIN-WAIT-2 timer starts (BSD); else it does nothing.
	ShutdownAgainEnds bool
	// ShutdownDisconnects: shutdown() in SYN-SENT, whichever way, ends the attempt
	// with ECONNRESET, and the socket is as new (Linux).
	ShutdownDisconnects bool
	// ShutdownWaits: shutdown(SHUT_WR) in SYN-RECEIVED sends its FIN when the
	// handshake is over, also with no data queued (Linux).
	ShutdownWaits bool
	// ShutdownSticks: shutdown() of what is not connected fails, and is remembered
	// all the same: a read then returns zero; and where a connect() had failed, the
	// next is EINVAL (Linux).
	ShutdownSticks bool
	// ResetWithAck: a RST that is not an answer carries an ACK: "RST|ACK".
	// RFC 9293 §3.10.5 has a bare RST.
	ResetWithAck bool
	// TimeoutResets: a RST is sent when retransmission gives up.
	TimeoutResets bool
	// KeepaliveResets: a RST is sent when keepalive gives up.
	KeepaliveResets bool
	// AckRepeatsFIN: an ACK that is owed while our FIN is outstanding brings the
	// FIN again; a challenge ACK does not (BSD, tcp_output).
	AckRepeatsFIN bool
	// HalfOpenClose: close() in SYN-RECEIVED sends nothing; else a FIN.
	HalfOpenClose bool
}

// Start says when the FIN-WAIT-2 timer starts.
type Start uint8

// The choices of Start.
const (
	// StartNever: no timer, as RFC 9293 has none.
	StartNever Start = iota
	// StartOnClose: once the application has closed its descriptor.
	StartOnClose
	// StartOnReadClosed: once nothing more can be received: closed, or
	// shutdown(SHUT_RD) besides SHUT_WR.
	StartOnReadClosed
	// StartAlways: once in FIN-WAIT-2, even if the application only shut down
	// its sending side.
	StartAlways
)

// Expiry says what the FIN-WAIT-2 timer does.
type Expiry uint8

// The choices of Expiry.
const (
	// Silent: the connection is gone and nobody is told.
	Silent Expiry = iota
	// SendRST: a RST as ResetWithAck has it.
	SendRST
	// SendRSTACK: a RST|ACK.
	SendRSTACK
)

// FinWait2 is the FIN-WAIT-2 timer. No RFC has one: every profile that has is
// in deviation from RFC 9293, and so it is labelled.
type FinWait2 struct {
	Starts Start
	Lasts  Time
	// Mini is how long of it, at the end, the connection is a mere record that
	// nothing extends (Linux's timewait mini-socket, TCP_TIMEWAIT_LEN). With
	// Lasts above it, the first part is Lasts - Mini and the second as long
	// (net/ipv4/tcp_timer.c, tcp_keepalive_timer); 0: no such thing.
	Mini Time
	// MinRTOs10: it lasts at least this many tenths of the RTO (Linux: 35).
	MinRTOs10 uint8
	// Recheck: on expiry, if the peer was heard within Lasts, look again after
	// this time (BSD); 0: not extended.
	Recheck Time
	Expiry  Expiry
}

// TimeWait are the knobs of TIME-WAIT.
type TimeWait struct {
	// MSL is the maximum segment lifetime; TIME-WAIT lasts twice that (MUST-13).
	MSL Time
	// RFC1337: a RST does not end TIME-WAIT (RFC 1337 §3, fix 1).
	RFC1337 bool
	// Reuse: a SYN beyond RCV.NXT may open a new connection (MAY-2).
	Reuse bool
	// NeedsAck: a segment without ACK is dropped in silence (BSD).
	NeedsAck bool
	// NoChallenge: a RST in the window that is not at RCV.NXT is dropped in
	// silence (Linux); RFC 5961 §3.2 challenges it.
	NoChallenge bool
	// AckRestarts: a bare ACK restarts the 2 MSL too (Linux); else only a FIN.
	AckRestarts bool
	// Outlives: it is a record apart from its socket, which has ended: nothing
	// that an application does to that ends the record (Linux).
	Outlives bool
	// ConnectReplaces: connect() between the same addresses takes the place of
	// TIME-WAIT, and of what Mini leaves of FIN-WAIT-2 (Linux, with timestamps).
	ConnectReplaces bool
}

// Timing are the knobs of retransmission (RFC 6298) and of zero-window probes.
type Timing struct {
	// RTOInitial is used before the first measurement, RTOMin and RTOMax bound
	// what follows.
	RTOInitial, RTOMin, RTOMax Time
	// Granularity is the clock's G of RFC 6298.
	Granularity Time
	// RTOSlop is added to every measured RTO (FreeBSD, tcp_rexmit_slop).
	RTOSlop Time
	// RTOMinVaries: RTOMin bounds the term for the variance, not the sum (Linux,
	// tcp_rtt_estimator).
	RTOMinVaries bool
	// TailProbe: before the first timeout of a row the last segment is sent again
	// (RFC 8985 §7; Linux, where SACK is permitted).
	TailProbe bool
	// FixedRTO: round trips are not measured; the RTO stays RTOInitial, backed
	// off. A search has fewer states so.
	FixedRTO bool
	// R1 is after how many retransmissions the application is told that the
	// peer struggles (SHLD-9, SHLD-10); 0: never.
	R1 uint8
	// R2 is how many retransmissions a connection survives (MUST-20, SHLD-11);
	// 0: any number.
	R2 uint8
	// R2Base, where not 0, makes R2 a time: the connection ends at the first
	// timeout after the sum of R2+1 doubling timeouts, the first of them R2Base,
	// since its first retransmission (Linux, tcp_model_timeout).
	R2Base Time
	// OrphanR2 takes the place of R2 once the application has closed; 0: R2.
	OrphanR2 uint8
	// OrphanProbeLimit: zero-window probes of an orphan end when their interval
	// has reached RTOMax, answered or not (Linux, tcp_probe_timer).
	OrphanProbeLimit bool
	// EagerRTO: forward progress ends the back-off, as it does where round
	// trips are measured with timestamps; else a round trip has to be measured
	// first (RFC 6298 §5, Karn).
	EagerRTO bool
	// Sack: an ACK tells that what came later is here, and has the first of what is
	// outstanding sent again at once, for a quarter of a round trip is all that
	// RACK waits (RFC 2018, RFC 8985).
	Sack bool
	// LossWindow: after a timeout nothing new is sent until all that was out then
	// is acknowledged: a congestion window of one segment (RFC 5681 §3.1). This
	// model knows no other.
	LossWindow bool
	// FINIgnoresWindow: a FIN with no data before it is sent into a zero window
	// (BSD); else it counts as the octet it takes.
	FINIgnoresWindow bool
	// PersistMin and PersistMax bound the time between zero-window probes; 0:
	// RTOMin and RTOMax.
	PersistMin, PersistMax Time
	// OldProbe: a zero-window probe is an empty segment at SND.UNA-1 (Linux);
	// else it is one octet of new data (RFC 9293 §3.8.6.1).
	OldProbe bool
	// UserTimeoutByRetry: the user timeout counts from the first retransmission
	// (Linux); else since the oldest outstanding octet was sent (RFC 5482).
	UserTimeoutByRetry bool
	// DelayedAck is how long an ACK of data may wait for company; 0: not at all.
	DelayedAck Time
	// DelayedFINAck is how long the ACK of a FIN in ESTABLISHED may wait once data
	// has been received, if no more than one segment is to be acknowledged with
	// it; 0: not at all (Linux, tcp_fin: TCP_ATO_MIN). C4 holds, 40 ms later.
	DelayedFINAck Time
	// Nagle: small segments wait while data is outstanding (SHLD-7).
	Nagle bool
}

// Keeping are keepalive's defaults (RFC 9293 §3.8.4).
type Keeping struct {
	// KeepIdle before the first probe, KeepInterval between probes, KeepProbes
	// unanswered ones end the connection.
	KeepIdle, KeepInterval Time
	KeepProbes             uint8
	// KeepDefault: keepalive is on unless turned off. Against MUST-25.
	KeepDefault bool
}

// Sockets are the knobs of the application's view.
type Sockets struct {
	// SendBuffer and ReceiveBuffer are in octets.
	SendBuffer, ReceiveBuffer uint32
	// WholeSegments: the receive buffer grows to whole segments once the peer's
	// segment size is known; in the SYN queue, where it is not, the window is
	// 65,535 at most (FreeBSD, tcp_mss and syncache_add).
	WholeSegments bool
	// ResetInCloseWait is the error of a RST that arrives after the peer's FIN.
	ResetInCloseWait Errno
	// ResetDiscards: what was received and not read is lost with a RST
	// (RFC 9293: "All segment queues should be flushed"); else it can be read.
	ResetDiscards bool
	// EOFBeforeError: once the peer's FIN was here, a read returns zero and
	// leaves the pending error to SO_ERROR, poll or a write (Linux); else a
	// read returns the error once.
	EOFBeforeError bool
	// PipeBeforeError: a write on a connection that was reset fails with EPIPE
	// and leaves the pending error to SO_ERROR or a read (BSD); else it returns
	// the error once (Linux).
	PipeBeforeError bool
	// UnconnectedWrite is the error of a write on a socket that never was
	// connected; OK: ENOTCONN.
	UnconnectedWrite Errno
	// OpeningWrite is the error of a write before the connection is there; OK: it
	// is queued (RFC 9293 §3.10.2).
	OpeningWrite Errno
	// ConnectOnce: a socket that was connected is so for ever: EISCONN; one that
	// could not connect tells so at the next connect(), by SO_ERROR or else
	// ECONNABORTED, and only the one after that tries anew (Linux).
	ConnectOnce bool
	// AddressTaken is the error of a connect() between two addresses that have a
	// connection; OK: EADDRINUSE.
	AddressTaken Errno
	// AcceptsDead: accept() also returns a connection that ended while it
	// waited; else it is gone from the queue.
	AcceptsDead bool
}
