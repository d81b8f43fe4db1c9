package sensor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Sensor is a sensor that runs: this process's own, or a pinned one. Its methods
// may run at the same time, in several goroutines; Close may not.
type Sensor struct {
	set *set
	// dir is where it is pinned; empty for this process's own. held is of a pinned one.
	dir   string
	held  *hold
	mu    sync.Mutex
	taken [Places]bool // this process's readers' places
}

// Load starts a sensor that ends with Close, or with this process, however that
// ends. It knows nothing of what happened before, and does not care whether
// others run.
func Load() (*Sensor, error) { return own(traced) }

func own(has func(tracepoint string) (bool, error)) (*Sensor, error) {
	s, err := load(has)
	if err != nil {
		return nil, err
	}
	return &Sensor{set: s}, nil
}

// Close ends this process's own sensor, or lets go of a pinned one.
func (s *Sensor) Close() error { return errors.Join(s.set.close(), s.held.close()) }

// Pinned reports whether it goes on after Close.
func (s *Sensor) Pinned() bool { return s.dir != "" }

// History calls each for every connection that the sensor knows, in all network
// namespaces, with a descriptor or without; in no order. The record is only valid
// during the call. An error of each ends it and is returned as it is.
func (s *Sensor) History(each func(*Record) error) error {
	in, err := s.open()
	if err != nil {
		return fmt.Errorf("read the sensor's histories: %w", err)
	}
	defer in.Close()
	return readRecords(in, each)
}

// bufferPages is what the kernel fills before it copies (bpf_seq_read()).
const bufferPages = 8

func readRecords(in io.Reader, each func(*Record) error) error {
	buf := make([]byte, bufferPages*os.Getpagesize())
	var r Record
	held := 0
	for {
		n, err := in.Read(buf[held:])
		held += n
		done := 0
		for ; held-done >= sizeListed; done += sizeListed {
			if err := decodeRecord(buf[done:done+sizeListed], &r); err != nil {
				return fmt.Errorf("read the sensor's histories: %w", err)
			}
			if err := each(&r); err != nil {
				return err
			}
		}
		held = copy(buf, buf[done:held])
		switch {
		case errors.Is(err, io.EOF) && held > 0:
			return fmt.Errorf("read the sensor's histories: %w", io.ErrUnexpectedEOF)
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("read the sensor's histories: %w", err)
		}
	}
}

// ErrNoStack says that a stack is not kept any more: others took its place.
var ErrNoStack = errors.New("the sensor has no such stack, or no longer")

// Stack returns the stack of an id that a History or an Event names.
func (s *Sensor) Stack(id uint32) (*Stack, error) {
	b, err := s.set.maps[traceMapStacks].LookupBytes(id)
	if err != nil {
		return nil, fmt.Errorf("read stack %d: %w", id, err)
	}
	if id == 0 || b == nil {
		return nil, ErrNoStack
	}
	return decodeStack(b)
}
