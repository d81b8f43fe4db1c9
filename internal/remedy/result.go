package remedy

import (
	"time"
)

// Outcome is what came of an act.
type Outcome string

// The outcomes.
const (
	// DidEnd: the connection is no more.
	DidEnd Outcome = "ended"
	// Pending: it was done, and what comes of it is not known yet. Only Runner.Record
	// is told of it.
	Pending Outcome = "pending"
	// StillThere: it was done, and the connection has not ended yet.
	StillThere Outcome = "still-there"
	// WasGone: it had ended before, by itself or by its application.
	WasGone Outcome = "already-gone"
	// AlreadySo: it was as the act would have made it, or better.
	AlreadySo Outcome = "already-so"
	// Refused: it was not done, and nothing was changed.
	Refused Outcome = "refused"
	// Raised: the limit is higher now.
	Raised Outcome = "raised"
	// NotReached: the run was interrupted before.
	NotReached Outcome = "not-reached"
)

// Descriptor is what the application did with its descriptor; empty where that is not
// known.
type Descriptor string

// What can be known of it.
const (
	Held     Descriptor = "held"
	Released Descriptor = "closed"
)

// Result is what came of one act.
type Result struct {
	Act     *Act      `json:"act"`
	At      time.Time `json:"at,omitzero"`
	Outcome Outcome   `json:"outcome"`
	// Kind is of a refusal.
	Kind Kind   `json:"kind,omitempty"`
	Why  string `json:"why,omitempty"`
	// Before and After are the socket immediately before and after the act, Last
	// when it was last looked at; nil where it was not seen.
	Before *Sight `json:"before,omitempty"`
	After  *Sight `json:"after,omitempty"`
	Last   *Sight `json:"last,omitempty"`
	// Keepalive and limit, as they were and are.
	Was    *Probes    `json:"keepalive_before,omitempty"`
	Is     *Probes    `json:"keepalive_after,omitempty"`
	WasMax *OpenFiles `json:"limit_before,omitempty"`
	IsMax  *OpenFiles `json:"limit_after,omitempty"`
	// Through is the descriptor that it was done through.
	Through    *Holder    `json:"through,omitempty"`
	Descriptor Descriptor `json:"descriptor,omitempty"`
}

// Done is what came of a plan.
type Done struct {
	*Plan
	Results []Result `json:"results"`
	// Counts counts the results by outcome.
	Counts map[Outcome]int `json:"outcomes"`
	// Owners is what the descriptors of the processes did meanwhile.
	Owners []OwnerChange `json:"owners"`
	// Interrupted: not all acts were reached.
	Interrupted bool `json:"interrupted,omitempty"`
	// TookMS is from the first act to the last look, in milliseconds.
	TookMS float64 `json:"acting_took_ms"`
}

// OwnerChange is a process's open descriptors before and after.
type OwnerChange struct {
	PID    int `json:"pid"`
	Before int `json:"open_files_before"`
	// After is -1 if the process has ended, or does not show them any more.
	After int `json:"open_files_after"`
}

// Failures counts the acts after which what was asked for is not so.
func (d *Done) Failures() int { return d.Counts[Refused] + d.Counts[StillThere] + d.Counts[NotReached] }
