package observe

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/closewait/closewait/tcp"
)

// Write saves one look, or two of the same host, the earlier one first, as JSON:
// one object after the other.
func Write(w io.Writer, looks ...*Snapshot) error {
	out := bufio.NewWriterSize(w, 64<<10)
	to := json.NewEncoder(out)
	for _, s := range looks {
		if err := to.Encode(s); err != nil {
			return fmt.Errorf("save snapshot: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	return nil
}

// Read reads back what Write saved; prev is nil for one look. Fields it does not
// know are skipped; values that no kernel gives are an error, so that a diagnosis
// may trust the rest.
func Read(r io.Reader) (prev, cur *Snapshot, err error) {
	in := json.NewDecoder(bufio.NewReaderSize(r, 64<<10))
	switch cur, err = readLook(in); {
	case errors.Is(err, io.EOF):
		return nil, nil, errors.New("not a snapshot: it is empty")
	case err != nil:
		return nil, nil, err
	}
	switch second, err := readLook(in); {
	case errors.Is(err, io.EOF):
		return nil, cur, nil
	case err != nil:
		return nil, nil, fmt.Errorf("after the first look: %w", err)
	default:
		prev, cur = cur, second
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("not a snapshot: something follows the second look")
	}
	if cur.Since(prev) <= 0 {
		return nil, nil, errors.New("damaged snapshot: its second look is not a later one at the same boot of the host")
	}
	return prev, cur, nil
}

// readLook reads one look; the error is io.EOF if there is none.
func readLook(in *json.Decoder) (*Snapshot, error) {
	s := new(Snapshot)
	if err := in.Decode(s); err != nil {
		return nil, fmt.Errorf("not a snapshot: %w", err)
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
