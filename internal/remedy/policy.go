package remedy

import (
	"fmt"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
)

// Policy is what a Guard goes by.
type Policy struct {
	// Apply does the acts; without it they are only told.
	Apply bool
	// Every is the time between two looks.
	Every time.Duration
	// Grace is how old a half-closed connection must be to count as stuck.
	Grace time.Duration
	// WarnWithin: a process that will run out of descriptors within this time,
	// whatever the rules do, is warned of.
	WarnWithin time.Duration
	Rules      []Rule
}

// Rule is one rule of a policy.
type Rule struct {
	Name string
	// Filter and Programs say which findings it is about.
	Filter   diagnose.Filter
	Programs []string
	Degree   Degree
	// OlderThan is for how long a connection must have been half-closed.
	OlderThan time.Duration
	// MaxPerMinute is the most acts in any minute.
	MaxPerMinute int
	// OpenFilesAbove acts only on what belongs to a process that has more than this part
	// of its soft limit of open files in use; 0 always acts.
	OpenFilesAbove float64
	// OpenFiles is the limit that Room raises to; 0 is the hard limit.
	OpenFiles uint64
	Probes    Probes
}

// The defaults of a policy.
const (
	defaultEvery        = 10 * time.Second
	defaultWarnWithin   = time.Hour
	defaultMaxPerMinute = 60
)

// PolicyError says what is wrong with a policy file, and where.
type PolicyError struct {
	// Line is 0 where it is about the file as a whole.
	Line int
	Err  error
}

func (e *PolicyError) Error() string {
	if e.Line == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("line %d: %v", e.Line, e.Err)
}

// Unwrap returns the cause.
func (e *PolicyError) Unwrap() error { return e.Err }
