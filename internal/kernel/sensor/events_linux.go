package sensor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	// CatchUp, if not nil, brings channels: each is closed when everything that had
	// happened before it came has been told.
	CatchUp <-chan chan<- struct{}
	// Ready, if not nil, is called when events are being collected.
	Ready func()
}

const defaultBuffer = 256 << 10

// ErrPlaces says that as many readers listen to a sensor as can.
var ErrPlaces = fmt.Errorf("%d readers listen to this sensor already, which is the most", Places)

// maps of the places.
var buffers = [Places]string{traceMapEvents0, traceMapEvents1, traceMapEvents2, traceMapEvents3}

// Events calls each for what happens from now on, until ctx ends, which is no
// error, or each returns an error, which is returned as it is. Events of one
// processor come in order, those of several nearly. The event is only valid during
// the call. Several readers may listen, Places at most; one that is killed leaves
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
	in, err := perf.NewReader(array, o.Buffer)
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
		catchUp(in, o.CatchUp, flushed, ended)
	}()
	err = readEvents(in, flushed, each)
	close(ended)
	<-idle
	// Until another takes the place no event need be made for it. A pinned sensor may
	// have been stopped meanwhile.
	if quiet := s.want(place, EventOptions{Kinds: []Kind{KindLost}}); quiet != nil && !errors.Is(quiet, fs.ErrNotExist) {
		err = errors.Join(err, quiet)
	}
	return err
}

func readEvents(in *perf.Reader, flushed chan<- struct{}, each func(*Event) error) error {
	var record perf.Record
	var e Event
	for {
		err := in.ReadInto(&record)
		switch {
		case errors.Is(err, os.ErrClosed):
			return nil
		case errors.Is(err, perf.ErrFlushed):
			flushed <- struct{}{}
			continue
		case err != nil:
			return fmt.Errorf("listen to the sensor: %w", err)
		case record.LostSamples > 0:
			e = Event{Kind: KindLost, Lost: record.LostSamples}
		default:
			if err := decodeEvent(record.RawSample, &e); err != nil {
				return fmt.Errorf("listen to the sensor: %w", err)
			}
		}
		if err := each(&e); err != nil {
			return err
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

// enter finds a free place. A pinned sensor's are directories, each locked by the
// reader that has it: a lock ends with its process.
func (s *Sensor) enter() (place int, leave func(), err error) {
	if s.dir == "" {
		return s.enterOwn()
	}
	for i := range Places {
		f, err := os.Open(filepath.Join(s.dir, placeName(i)))
		if err != nil {
			return 0, nil, fmt.Errorf("listen to the sensor: %w", err)
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return i, func() { f.Close() }, nil
		}
		f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return 0, nil, fmt.Errorf("listen to the sensor: %w", err)
		}
	}
	return 0, nil, ErrPlaces
}

func placeName(i int) string { return fmt.Sprintf("place%d", i) }

func (s *Sensor) enterOwn() (place int, leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	place = slices.Index(s.taken[:], false)
	if place < 0 {
		return 0, nil, ErrPlaces
	}
	s.taken[place] = true
	return place, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.taken[place] = false
	}, nil
}

// lock keeps other readers from writing the settings meanwhile.
func (s *Sensor) lock() (unlock func(), err error) {
	if s.dir == "" {
		s.mu.Lock()
		return s.mu.Unlock, nil
	}
	f, err := os.Open(s.dir)
	if err != nil {
		return nil, fmt.Errorf("lock the sensor: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock the sensor: %w", err)
	}
	return func() { f.Close() }, nil
}
