package explore

import (
	"errors"
	"fmt"

	"github.com/closewait/closewait/model"
)

// Options say what to explore. The zero Options are two zero profiles that
// neither write nor lose anything; start from Of.
type Options struct {
	// Profiles are the two stacks, as Scaled returns them: every time in them is
	// a whole number of Units.
	Profiles [2]model.Profile
	// KeepAlive says which applications have set SO_KEEPALIVE.
	KeepAlive [2]bool
	// Handshake starts before the first SYN: side 0 calls connect(), side 1
	// listens. Else both are ESTABLISHED.
	Handshake bool
	// NoSymmetry keeps apart what differs only in which side is which. The
	// search takes twice as long, and finds the same.
	NoSymmetry bool
	Bounds     Bounds
	// Step takes the place of model.Step, for tests that break the model; nil
	// is model.Step.
	Step func(*model.Profile, model.Conn, model.Event, model.Time) (model.Conn, model.Effects)
}

// Bounds limit what is tried. All of them count over a whole story.
type Bounds struct {
	// Octets is how much each application writes at most, one octet a call.
	Octets uint8
	// Losses is how many segments the link loses at most.
	Losses uint8
	// OnlyRSTs: it loses no segment but RSTs.
	OnlyRSTs bool
	// Duplicates is how many it duplicates.
	Duplicates uint8
	// Overtakings is how many segments arrive before an older one of the same
	// direction.
	Overtakings uint8
	// Late is for how many Units in all the link holds something back. Without
	// it, all that is in flight arrives, or is lost, before time goes on.
	Late uint8
	// Faults is how many of all these there are together; 0: no limit of its own.
	Faults uint8
	// InFlight is how many segments may be in flight in each direction; a
	// story that needs more is cut short, and counted. 0 is the most, 8.
	InFlight uint8
	// States ends the search, incomplete, once it has found so many; 0 is
	// 20 million, which need less than 2 GiB.
	States int
	// Calls are what applications may call; 0 is AllCalls.
	Calls Calls
}

const (
	mostOctets   = 15 // four bits in the encoded state
	mostInFlight = 8
	mostStates   = 20_000_000
)

// DefaultBounds are exhausted in seconds: each application may write an octet,
// and the link commit one fault, but hold nothing back. Where keepalive is on
// by default there are many more states, and the fault is a loss.
func DefaultBounds(p model.Profile) Bounds {
	if p.KeepDefault {
		return Bounds{Octets: 1, Losses: 1, Faults: 1}
	}
	return Bounds{Octets: 1, Losses: 1, Duplicates: 1, Overtakings: 1, Faults: 1}
}

// Of returns Options with both sides of one profile, scaled, and DefaultBounds.
func Of(p model.Profile) Options {
	scaled := Scaled(p)
	return Options{Profiles: [2]model.Profile{scaled, scaled}, Bounds: DefaultBounds(p)}
}

// settle replaces zero values by what they stand for.
func (o *Options) settle() error {
	b := &o.Bounds
	if b.Octets > mostOctets {
		return fmt.Errorf("explore: %d octets are too many: at most %d", b.Octets, mostOctets)
	}
	if b.InFlight > mostInFlight {
		return fmt.Errorf("explore: %d segments in flight are too many: at most %d", b.InFlight, mostInFlight)
	}
	if b.States < 0 || b.States > maxIndex {
		return fmt.Errorf("explore: a limit of %d states is out of range: use 0 to %d", b.States, maxIndex)
	}
	if b.InFlight == 0 {
		b.InFlight = mostInFlight
	}
	if b.States == 0 {
		b.States = mostStates
	}
	if b.Calls == 0 {
		b.Calls = AllCalls
	}
	if o.Step == nil {
		o.Step = model.Step
	}
	for i := range o.Profiles {
		if o.Profiles[i].ReceiveBuffer == 0 || o.Profiles[i].RTOInitial == 0 {
			return errors.New("explore: a profile without a receive buffer or a retransmission timeout: start from one of model.Profiles, scaled")
		}
	}
	return nil
}
