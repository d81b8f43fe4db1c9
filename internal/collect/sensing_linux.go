package collect

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/closewait/closewait/internal/kernel/clock"
	"github.com/closewait/closewait/internal/kernel/sensor"
	"github.com/closewait/closewait/internal/kernel/symbols"
	"github.com/closewait/closewait/internal/observe"
)

// Sensing is an open sensor, for who looks again and again: what it has named
// once it need not name again. Its methods, and Looks that use it, may run at the
// same time; Close may not.
type Sensing struct {
	// ShortLived, if it is set before Listen, tells processes that may not live until
	// somebody looks: Listen names their code at once.
	ShortLived func(pid int) bool

	sensor *sensor.Sensor
	boot   time.Time
	since  time.Time
	blind  bool
	asked  chan chan<- struct{}
	family *sensor.Family

	mu    sync.Mutex
	names *symbols.Resolver
	// known are the stacks named so far, by the sensor's ids: their numbers in kept,
	// from 1 on; 0: nameless. Numbers stay the same from look to look. places are the
	// numbers by what the stack shows: the same code in many processes is kept once.
	known   map[uint32]int
	places  map[string]int
	kept    []observe.Stack
	unnamed map[uint32]*unnamed
	listed  map[int]string // the perf map that a process has, asked once a look
	// left are the stacks that were not named in this look, spent is what naming took
	// in it.
	left  map[uint32]bool
	spent time.Duration
}

// OpenSensing takes the sensor that is pinned in Options.SensorDir, or else, also where
// it has no place left for a listener, loads one that ends with Close, or with this
// process, however that ends. The error is a *sensor.UnavailableError where there can be
// none.
func OpenSensing(o Options) (*Sensing, error) {
	if sensor.Readers(o.SensorDir) < sensor.Places {
		if x, err := openPinned(o); !errors.Is(err, sensor.ErrNotRunning) {
			return x, err
		}
	}
	s, err := sensor.Load()
	if err != nil {
		return nil, err
	}
	return sense(s)
}

// openPinned is OpenSensing where no sensor is to be loaded: the error is then
// sensor.ErrNotRunning.
func openPinned(o Options) (*Sensing, error) {
	s, err := sensor.Open(o.SensorDir)
	if err != nil {
		return nil, err
	}
	return sense(s)
}

func sense(s *sensor.Sensor) (*Sensing, error) {
	status, err := s.Status()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	x := &Sensing{
		sensor: s, boot: clock.Boot(), names: symbols.New(symbols.Options{}), known: map[uint32]int{},
		places: map[string]int{}, unnamed: map[uint32]*unnamed{}, listed: map[int]string{}, left: map[uint32]bool{},
		asked: make(chan chan<- struct{}),
		blind: slices.Contains(status.Missing, "sock_recv_length"),
	}
	x.since = x.at(status.Since)
	return x, nil
}

// Own reports whether the sensor ends with Close.
func (x *Sensing) Own() bool { return !x.sensor.Pinned() }

// Stopped reports whether somebody has stopped the sensor, which is not lost with
// that: it goes on until Close.
func (x *Sensing) Stopped() bool { return x.sensor.Stopped() }

// Close ends the sensor, or leaves one that is pinned as it is.
func (x *Sensing) Close() error {
	err := errors.Join(x.names.Close(), x.sensor.Close())
	if x.family != nil {
		err = errors.Join(err, x.family.Close())
	}
	return err
}

// Follow has the kernel note from now on which processes descend from one. It is
// called once, before Listen. It fails in a container's PID namespace: what the kernel
// tells has the host's numbers.
func (x *Sensing) Follow(pid int) (err error) {
	x.family, err = sensor.Follow(pid)
	return err
}

// Has reports whether the process that had a number at a time descends from the one
// that is followed. It matters not whether it still lives.
func (x *Sensing) Has(pid int, at time.Time) bool {
	return x.family != nil && x.family.Has(pid, at.Sub(x.boot))
}

// CatchUp waits until Listen has told everything that has happened, and reports
// whether it has before ctx ended.
func (x *Sensing) CatchUp(ctx context.Context) bool {
	told := make(chan struct{})
	select {
	case <-ctx.Done():
		return false
	case x.asked <- told:
	}
	select {
	case <-ctx.Done():
		return false
	case <-told:
		return true
	}
}

// Lost is how many events were not told and processes not noted, for want of room or
// because the kernel skipped a call (sensor.Status.SkippedEnds).
func (x *Sensing) Lost() (n uint64) {
	st, err := x.sensor.Status()
	if err != nil {
		return 1
	}
	n = st.LostHistories + st.SkippedEnds()
	for _, events := range st.LostEvents {
		n += events
	}
	if x.family != nil {
		missed, err := x.family.Missed()
		if err != nil {
			return 1
		}
		n += missed
	}
	return n
}

// Listen calls each for what happens, from when it has called ready on, until ctx
// ends, which is no error. What each gets is its own. Every end is told, also a quick
// one: for how long a connection that is older than the sensor was half-closed is not
// known to it.
func (x *Sensing) Listen(ctx context.Context, ready func(), each func(*observe.Happening)) error {
	o := sensor.EventOptions{Kinds: []sensor.Kind{sensor.KindZero, sensor.KindEnded, sensor.KindReleased}, CatchUp: x.asked, Ready: ready}
	if x.ShortLived != nil { // code is named while its process lives
		o.Kinds, o.Within = append(o.Kinds, sensor.KindStack), 5*time.Millisecond
	}
	return x.sensor.Events(ctx, o, func(e *sensor.Event) error {
		kind, ok := happened[e.Kind]
		switch {
		case ok && e.Protocol != sensor.ProtocolMPTCP:
			each(x.happening(kind, e))
		case e.Kind == sensor.KindStack && x.ShortLived != nil && x.ShortLived(int(e.PID)):
			x.stack(e.Stack)
		}
		return nil
	})
}

var happened = map[sensor.Kind]observe.HappeningKind{
	sensor.KindZero: observe.HappenedZero, sensor.KindEnded: observe.HappenedEnd,
	sensor.KindReleased: observe.HappenedRelease, sensor.KindLost: observe.HappenedLost,
}

func (x *Sensing) happening(kind observe.HappeningKind, e *sensor.Event) *observe.Happening {
	h := &observe.Happening{
		Kind: kind, At: x.at(e.Time), NetNS: uint64(e.NetNS), Cookie: e.Cookie, State: e.State, Local: e.Local, Remote: e.Remote,
		PID: int(e.PID), Comm: e.Comm, Exiting: e.Exiting, Held: e.Held, Lost: e.Lost, Unread: int(e.Unread), History: x.plain(&e.History),
	}
	h.History.OpenedBy, h.History.ReadBy, h.History.ZeroBy = x.numberOf(e.OpenerStack), x.numberOf(e.ReaderStack), x.numberOf(e.ZeroStack)
	if kind == observe.HappenedLost {
		h.At = time.Now()
	}
	return h
}

func (x *Sensing) at(moment time.Duration) time.Time {
	if moment == 0 {
		return time.Time{}
	}
	return x.boot.Add(moment).Round(time.Microsecond)
}
