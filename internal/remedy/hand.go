package remedy

import (
	"context"
	"time"

	"github.com/closewait/closewait/tcp"
)

// Hand does what a plan says. It checks, as close to the act as can be, that the
// socket or process is the one that was meant and that it is still as it was when
// it was found stuck; if not it does nothing and returns a *Refusal.
type Hand interface {
	// KeepAlive, Shutdown and Destroy act on a.Socket, Raise on a.Process.
	KeepAlive(ctx context.Context, a *Act) (Change, error)
	Shutdown(ctx context.Context, a *Act) (Change, error)
	Destroy(ctx context.Context, a *Act) (Change, error)
	Raise(ctx context.Context, a *Act) (Change, error)
	// Look reads a.Socket now; the Refusal's Kind is Ended if it is no more.
	Look(ctx context.Context, a *Act) (Sight, error)
	// Held reports whether a descriptor of a.Socket.Holders still is that socket;
	// known is false where that can't be seen.
	Held(a *Act) (held, known bool)
	// OpenFiles counts a process's descriptors; false if it has ended or does not
	// show them.
	OpenFiles(pid int, startTicks uint64) (int, bool)
}

// Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	// Wait returns ctx's error if ctx ends first.
	Wait(ctx context.Context, d time.Duration) error
}

// Sight is a socket at one moment.
type Sight struct {
	State tcp.State `json:"state,omitzero"` // zero: listed no more
	// Unread is data received and not read, the FIN not counted.
	Unread uint32 `json:"unread"`
	SendQ  uint32 `json:"send_q"`
	// LastAck is how long ago the peer was last heard.
	LastAck time.Duration `json:"-"`
	// Unanswered counts probes.
	Unanswered int `json:"unanswered_probes,omitempty"`
}

// Change is what an act found before and left after.
type Change struct {
	Before, After Sight
	// Was and Is are the keepalive before and after, or (Room) the limit.
	Was, Is       *Probes
	WasMax, IsMax *OpenFiles
	// Through is the descriptor that it was done through; nil for Destroy and Raise.
	Through *Holder
}

// OpenFiles is an RLIMIT_NOFILE.
type OpenFiles struct {
	Soft uint64 `json:"soft"`
	Hard uint64 `json:"hard"`
}

// Kind says what kept an act from being done.
type Kind string

// The kinds of refusals.
const (
	// Ended: there was nothing left to act on.
	Ended Kind = "ended"
	// Changed: it is not as it was found any more, so it was not touched.
	Changed Kind = "changed"
	// Enough: it was already as the act would have made it.
	Enough Kind = "enough"
	// Denied: the caller may not. It holds for other acts of that sort too.
	Denied Kind = "denied"
	// Unsupported: this kernel can't. It holds for all acts of the degree.
	Unsupported Kind = "unsupported"
	// Failed is anything else.
	Failed Kind = "failed"
)

// Refusal says why an act was not done. Nothing was changed.
type Refusal struct {
	Kind Kind
	Err  error
}

func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }
