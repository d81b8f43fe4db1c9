package sensor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/perf"
	"golang.org/x/sys/unix"
)

// EventOptions says what a reader wants.
type EventOptions struct {
	// Kinds are the kinds wanted; none: all of them. KindLost always comes.
	Kinds []Kind
	// HalfFor leaves out the end of connections that were half-closed for less.
	// 0: every end.
	HalfFor time.Duration
	// Buffer is the room for each processor's events, in bytes. 0: 256 KiB, some
	// 1,600 events.
	Buffer int
	// Within is how late an event may be told. 0: 50 ms.
	Within time.Duration
	// CatchUp, if not nil, brings channels: each is closed when everything that had
	// happened before it came has been told.
	CatchUp <-chan chan<- struct{}
	// Ready, if not nil, is called when events are being collected.
	Ready func()
}

const (
	defaultBuffer = 256 << 10
	defaultWithin = 50 * time.Millisecond
)

// ErrPlaces says that as many readers listen to a sensor as can.
var ErrPlaces = fmt.Errorf("%d readers listen to this sensor already, which is the most", Places)

// maps of the places.
var buffers = [Places]string{traceMapEvents0, traceMapEvents1, traceMapEvents2, traceMapEvents3}

// Events calls each for what happens from now on, until ctx ends, which is no
// error, or each returns an error, which is returned as it is. Events come in the order
// of their time, but for those of several processors in the moment of a batch's end. The
// event is only valid during the call. Several readers may listen, Places at most; one that is killed leaves
// nothing behind.
func (s *Sensor) Events(ctx context.Context, o EventOptions, each func(*Event) error) error {
	place, leave, err := s.enter()
	if err != nil {
		return err
	}
	defer leave()
	// An array of its own, if it is pinned: the kernel takes this reader's buffers
	// out of it when the last descriptor of this opening of the map is closed.
	array := s.set.maps[buffers[place]]
	if o.Buffer == 0 {
		o.Buffer = defaultBuffer
	}
	if o.Within == 0 {
		o.Within = defaultWithin
	}
	// To wake the reader for each event would cost an interrupt, inside the program that
	// tells it; and behind the interrupt the processor takes in what segments wait, of whose
	// connections that program then sees nothing (Status.Skipped).
	in, err := perf.NewReaderWithOptions(array, o.Buffer, perf.ReaderOptions{Watermark: o.Buffer / 2})
	if err != nil {
		return fmt.Errorf("listen to the sensor: %w", unavailable(err))
	}
	defer in.Close()
	if err := s.want(place, o); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { in.Close() })
	defer stop()
	if o.Ready != nil {
		o.Ready()
	}
	flushed, ended, idle := make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(idle)
		catchUp(in, o.Within, o.CatchUp, flushed, ended)
	}()
	err = readEvents(in, flushed, each)
	close(ended)
	<-idle
	// Until another takes the place no event need be made for it.
	return errors.Join(err, s.want(place, EventOptions{Kinds: []Kind{KindLost}}))
}

// readEvents tells what comes from one flush to the next in the order of its time: each
// processor has a buffer of its own.
func readEvents(in *perf.Reader, flushed chan<- struct{}, each func(*Event) error) error {
	var record perf.Record
	var batch []Event
	tell := func() error {
		slices.SortStableFunc(batch, func(a, b Event) int { return cmp.Compare(a.Time, b.Time) })
		for i := range batch {
			if err := each(&batch[i]); err != nil {
				return err
			}
		}
		batch = batch[:0]
		return nil
	}
	for {
		err := in.ReadInto(&record)
		switch {
		case errors.Is(err, os.ErrClosed):
			return tell()
		case errors.Is(err, perf.ErrFlushed):
			if err := tell(); err != nil {
				return err
			}
			flushed <- struct{}{}
		case err != nil:
			return fmt.Errorf("listen to the sensor: %w", err)
		case record.LostSamples > 0:
			batch = append(batch, Event{Kind: KindLost, Lost: record.LostSamples})
		default:
			var e Event
			if err := decodeEvent(record.RawSample, &e); err != nil {
				return fmt.Errorf("listen to the sensor: %w", err)
			}
			batch = append(batch, e)
		}
	}
}

// want tells the programs what the reader at a place wants.
func (s *Sensor) want(place int, o EventOptions) error {
	mask := uint64(0)
	for k := KindHalfClosed; k <= KindStack; k++ {
		if len(o.Kinds) == 0 || slices.Contains(o.Kinds, k) {
			mask |= 1 << k
		}
	}
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	control := s.set.maps[traceMapControl]
	var c traceControl
	if err := control.Lookup(uint32(0), &c); err != nil {
		return fmt.Errorf("read the sensor's settings: %w", err)
	}
	c.Places[place].Mask = mask
	c.Places[place].HalfUs = uint64(max(o.HalfFor, 0) / time.Microsecond)
	if err := control.Update(uint32(0), &c, ebpf.UpdateExist); err != nil {
		return fmt.Errorf("write the sensor's settings: %w", err)
	}
	return nil
}

// enter finds a free place. Of a pinned sensor's, other processes' readers may have
// some: each is locked by the reader that has it.
func (s *Sensor) enter() (place int, leave func(), err error) {
	unlock, err := s.lock()
	if err != nil {
		return 0, nil, err
	}
	defer unlock()
	for i := range Places {
		if s.taken[i] {
			continue
		}
		switch err := s.lockPlace(i, unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil:
			s.taken[i] = true
			return i, func() { s.leave(i) }, nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			return 0, nil, fmt.Errorf("listen to the sensor: %w", err)
		}
	}
	return 0, nil, ErrPlaces
}

func (s *Sensor) leave(place int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.lockPlace(place, unix.LOCK_UN) // or Close does it
	s.taken[place] = false
}

func (s *Sensor) lockPlace(i, how int) error {
	if !s.Pinned() {
		return nil
	}
	return unix.Flock(int(s.held.places[i].Fd()), how)
}

func placeName(i int) string { return fmt.Sprintf("place%d", i) }

// lock keeps others from taking places, counting them or writing the settings meanwhile: this process's by
// the mutex, others' by the lock.
func (s *Sensor) lock() (unlock func(), err error) {
	s.mu.Lock()
	if !s.Pinned() {
		return s.mu.Unlock, nil
	}
	if err := unix.Flock(int(s.held.dir.Fd()), unix.LOCK_EX); err != nil {
		s.mu.Unlock()
		return nil, fmt.Errorf("lock the sensor: %w", err)
	}
	return func() {
		_ = unix.Flock(int(s.held.dir.Fd()), unix.LOCK_UN) // or Close does it
		s.mu.Unlock()
	}, nil
}
