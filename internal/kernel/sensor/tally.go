package sensor

// Places is how many readers may listen to one sensor's events at a time.
const Places = 4

// Tally is what the sensor has seen since it was started, and all that it could
// not keep. As struct tally of bpf/tally.h, added up over the processors.
type Tally struct {
	// Outbound connections were begun here; Inbound ones were read from, or got
	// their FIN; Older ones were there before the sensor and something happened to
	// them.
	Outbound, Inbound, Older uint64
	// FINs are connections that became half-closed, Zeros those of which a read
	// returned zero, Resets those that a RST ended.
	FINs, Zeros, Resets uint64
	// Ends are half-closed connections that ended, and any that ended while its
	// descriptor remained; Held are the latter.
	Ends, Held uint64
	// Stacks are the different ones seen. The sensor keeps 8192, the latest used.
	Stacks uint64
	// LostHistories: no memory for a connection's history.
	LostHistories uint64
	// LostUnwinds: a stack that could not be walked; LostStacks: one that could not
	// be kept; LostNested: one that another interrupted.
	LostUnwinds, LostStacks, LostNested uint64
	// LostEvents: the buffer of the reader at this place was full. The reader was
	// told how many, by KindLost.
	LostEvents [Places]uint64
}

// Evicted is how many stacks had to make room for others, at least.
func (t *Tally) Evicted() uint64 {
	if t.Stacks <= mostStacks {
		return 0
	}
	return t.Stacks - mostStacks
}

const mostStacks = 8192
