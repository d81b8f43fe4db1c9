package diagnose

// Cause is why a connection is half-closed or a descriptor dead. The ids are
// part of closewait's interface: JSON, metrics and docs/causes use them.
type Cause string

// The causes. Every half-closed socket has exactly one.
const (
	NeverAccepted  Cause = "never-accepted"
	DataUnread     Cause = "data-unread"
	EOFUnread      Cause = "eof-unread"
	EOFIgnored     Cause = "eof-ignored"
	HalfCloseInUse Cause = "half-close-in-use"
	SendBlocked    Cause = "send-blocked"
	Ownerless      Cause = "ownerless"
	Masked         Cause = "masked"
	PeerKeepsOpen  Cause = "peer-keeps-open"
	OrphanDraining Cause = "orphan-draining"
	FinUnacked     Cause = "fin-unacked"
)

// Causes lists them all, in the order of docs/causes.
var Causes = []Cause{
	NeverAccepted, DataUnread, EOFUnread, EOFIgnored, HalfCloseInUse, SendBlocked,
	Ownerless, Masked, PeerKeepsOpen, OrphanDraining, FinUnacked,
}
