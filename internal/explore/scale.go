package explore

import "github.com/closewait/closewait/model"

// Unit is the grain of time: deadlines lie whole Units apart.
const Unit = model.Second

// The scaled times, in Units. Their order is that of the real ones: a
// retransmission comes before FIN-WAIT-2 ends, which comes before
// retransmission gives up and before keepalive begins.
const (
	scaledRTO       = 1 * Unit
	scaledRTOMax    = 2 * Unit
	scaledMSL       = 1 * Unit
	scaledFinWait2  = 2 * Unit
	scaledRecheck   = 1 * Unit
	scaledKeepIdle  = 3 * Unit
	scaledKeepEvery = 1 * Unit
)

// Scaled returns the profile with its times and limits made small, and leaves
// every knob that says what happens, rather than when or how often. What was
// off stays off.
func Scaled(p model.Profile) model.Profile {
	// Round trips are not measured, for their lengths would be states. Answers
	// to strays are not limited, for "less than half a second ago" is not a
	// whole number of Units; and no ACK is delayed, for that is much less than a
	// retransmission takes: a delayed ACK is one that the link holds back.
	p.FixedRTO, p.ChallengeEvery, p.DelayedAck = true, 0, 0
	p.RTOInitial, p.RTOMin, p.RTOMax, p.Granularity = scaledRTO, scaledRTO, scaledRTOMax, Unit
	if p.PersistMin > 0 {
		p.PersistMin, p.PersistMax = scaledRTO, scaledRTOMax
	}
	p.R1, p.R2, p.R2Base = min(p.R1, 1), min(p.R2, 2), 0
	p.OrphanR2 = min(p.OrphanR2, 2)
	p.SYNRetries, p.SYNACKRetries, p.SYNLinear = min(p.SYNRetries, 1), min(p.SYNACKRetries, 1), 0
	// A search's segments have no options: what is lost comes again by time alone.
	p.Sack, p.TailProbe = false, false

	scaleTo(&p.TimeWait.MSL, scaledMSL)
	scaleTo(&p.FinWait2.Lasts, scaledFinWait2)
	scaleTo(&p.FinWait2.Mini, scaledFinWait2)
	scaleTo(&p.FinWait2.Recheck, scaledRecheck)
	p.FinWait2.MinRTOs10 = min(p.FinWait2.MinRTOs10, 20)
	scaleTo(&p.KeepIdle, scaledKeepIdle)
	scaleTo(&p.KeepInterval, scaledKeepEvery)
	p.KeepProbes = min(p.KeepProbes, 2)

	// Data are a few octets, one a segment; the window closes on the third.
	p.MSS = 1
	p.SendBuffer, p.ReceiveBuffer = 4, 2
	return p
}

// scaleTo sets a time that is on.
func scaleTo(t *model.Time, to model.Time) {
	if *t > 0 {
		*t = to
	}
}
