package gate

// Trace says which processes Polling traces, to stop them on their way out.
type Trace int

// The choices. The more are traced, the less is inferred, and the more programs
// are in the way that trace others or change their rights.
const (
	// TraceSuspects are those that hold a connection which looks stuck, from then on.
	TraceSuspects Trace = iota
	// TraceNone stops nothing.
	TraceNone
	// TraceAll follows every process from its start.
	TraceAll
)
