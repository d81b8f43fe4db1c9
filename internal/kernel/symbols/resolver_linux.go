package symbols

import (
	"sync"
	"sync/atomic"
)

// Resolver names stacks. It may be used by many goroutines.
type Resolver struct {
	opts   Options
	closed atomic.Bool

	mu    sync.Mutex
	cache *cache
}

// New returns a Resolver.
func New(opts Options) *Resolver {
	return &Resolver{opts: opts.whole(), cache: newCache(opts.whole().CacheBytes)}
}

// Close drops what was kept. It holds no descriptors.
func (r *Resolver) Close() error {
	r.closed.Store(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cache = newCache(0)
	return nil
}

// Stack names a stack of a living process, innermost frame first. What has no name
// keeps module and offset. The error is an *Error: the process is gone, or may
// not be looked into.
func (r *Resolver) Stack(s Stack) ([]Frame, error) {
	if r.closed.Load() {
		return nil, &Error{s.PID, ErrClosed}
	}
	s = s.bounded()
	p, err := openProcess(r.opts.Proc, s.PID, s.Started)
	if err != nil {
		return nil, &Error{s.PID, err}
	}
	defer p.close()
	look := &look{r, p, s.PID}
	frames := look.name(look.mapped(unwind(s, look.rule, look.returns), s.Called))
	if n := len(frames); n > 0 && !outermost(frames[n-1].Function) {
		if len(s.Addrs) < deep {
			frames[n-1].note(lost)
		} else {
			frames[n-1].note(deeper)
		}
	}
	frames = append(frames, look.creator(s.Creators, frames)...)
	for i := range frames {
		frames[i].assign(p.exe)
	}
	return frames, nil
}

// PerfMap names the perf map of a living process and the state that it is in; "" if it
// has none. When that has changed, Stack may know more.
func (r *Resolver) PerfMap(pid int, started uint64) string {
	p, err := openProcess(r.opts.Proc, pid, started)
	if err != nil {
		return ""
	}
	defer p.close()
	p.jit = p.openJIT()
	return p.jit.cache
}

// keep and kept are the cache's, shared by all goroutines.
func (r *Resolver) keep(k key, frames []Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cache.put(k, frames)
}

func (r *Resolver) kept(k key) ([]Frame, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cache.get(k)
}
