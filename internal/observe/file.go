package observe

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/closewait/closewait/tcp"
)

// Write saves a snapshot as JSON.
func Write(w io.Writer, s *Snapshot) error {
	out := bufio.NewWriterSize(w, 64<<10)
	if err := json.NewEncoder(out).Encode(s); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	return nil
}

// Read reads back what Write saved. Fields it does not know are skipped; values
// that no kernel gives are an error, so that a diagnosis may trust the rest.
func Read(r io.Reader) (*Snapshot, error) {
	in := json.NewDecoder(bufio.NewReaderSize(r, 64<<10))
	s := new(Snapshot)
	if err := in.Decode(s); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it is empty")
		}
		return nil, fmt.Errorf("not a snapshot: %w", err)
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not a snapshot: something follows its end")
	}
	if s.Schema != Schema {
		return nil, fmt.Errorf("not a snapshot: its schema is %q, want %q (make one with closewait scan --save FILE)", s.Schema, Schema)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("damaged snapshot: %w", err)
	}
	return s, nil
}

// check refuses what would make a diagnosis nonsense.
func (s *Snapshot) check() error {
	if y := s.TakenAt.Year(); y < 1970 || y > 9999 {
		return fmt.Errorf("taken_at is %v", s.TakenAt)
	}
	for i := range s.Sockets {
		x := &s.Sockets[i]
		switch {
		case !x.State.Valid():
			return fmt.Errorf("socket %d has no state", i)
		case !x.Local.IsValid() && x.State != tcp.Closed:
			return fmt.Errorf("socket %d has no local address", i)
		case !x.Remote.IsValid() && x.State != tcp.Listen && x.State != tcp.Closed:
			return fmt.Errorf("socket %d has no remote address", i)
		}
	}
	return nil
}
