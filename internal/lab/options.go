package lab

import (
	"errors"
	"io"
	"time"

	"github.com/closewait/closewait/scenario"
)

// ErrUnavailable is why there is no lab: not on Linux, or not with the
// privileges that this process has. The error around it says what is missing.
var ErrUnavailable = errors.New("the lab can not be set up here")

// Options are how an Engine is set up. The zero Options are good for a quick run.
type Options struct {
	// Pace is how the hosts' clocks go. The zero Pace is Play's choice for its
	// story, PaceOf, and that for no story with NewEngine.
	Pace Pace
	// Patient lets hosts retransmit as often as the kernel's defaults have it, where
	// Play chooses the pace. A story about giving up then takes 15 s, and ends when
	// it would on any host.
	Patient bool
	// Pcap, if not nil, is where the capture is written, as pcapng: every segment
	// once, as its sender sent it; a comment says which were lost.
	Pcap io.Writer
	// Hosts are the names of the hosts in the capture; "" is "local" and "remote".
	Hosts [2]string
	// Latest bounds how long Play may take in the world's time; 0 is a minute, and
	// two hours with a real pace.
	Latest time.Duration
}

// Run is a story that was played.
type Run struct {
	*scenario.Result
	// Took is how long it took in the world, setting up not included; Result.Ended
	// is how long in the story.
	Took time.Duration
	// Notes say, each in a sentence, what was shortened and what skipped.
	Notes []string
	// Looks are the hosts' appearances, each when it changed, in the order of time.
	Looks []Look
}

// Look is how a host looked, from At on. Until Since, the last look before, it
// looked otherwise.
type Look struct {
	Since, At time.Duration
	Host      int
	scenario.Observation
}

// Step is one line of a story as it was played.
type Step struct {
	// Event is the call, wait, change of the link or expectation.
	scenario.Event
	// Sent are the segments that went over the wire until the next step.
	Sent []scenario.Packet
	// Seen are the two hosts when all had come to rest.
	Seen [2]scenario.Observation
}

// Steps tells the run line by line.
func (r *Run) Steps() []Step {
	var steps []Step
	look := 0
	var seen [2]scenario.Observation
	settle := func(until time.Duration) {
		for ; look < len(r.Looks) && r.Looks[look].At < until; look++ {
			seen[r.Looks[look].Host] = r.Looks[look].Observation
		}
		if len(steps) > 0 {
			steps[len(steps)-1].Seen = seen
		}
	}
	for _, e := range r.Events {
		switch e.Kind {
		case scenario.Called, scenario.Ruled, scenario.Waited, scenario.Checked:
			settle(e.At)
			steps = append(steps, Step{Event: e})
		case scenario.Sent:
			if len(steps) > 0 {
				last := &steps[len(steps)-1]
				last.Sent = append(last.Sent, e.Packet)
			}
		}
	}
	settle(1<<63 - 1)
	return steps
}
