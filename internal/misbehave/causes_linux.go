package misbehave

// The causes a record speaks of, as causes are named in the tool's interface.
// They are written out here once more, so that the truth does not depend on what
// is to find it.
const (
	causeNeverAccepted  = "never-accepted"
	causeDataUnread     = "data-unread"
	causeEOFUnread      = "eof-unread"
	causeEOFIgnored     = "eof-ignored"
	causeHalfCloseInUse = "half-close-in-use"
	causeSendBlocked    = "send-blocked"
	causeOwnerless      = "ownerless"
	causeMasked         = "masked"
	causePeerKeepsOpen  = "peer-keeps-open"
	causeOrphanDraining = "orphan-draining"
	causeFinUnacked     = "fin-unacked"
)
