package bpfiter

import (
	"fmt"
	"io"
)

// decodeAll calls each for every record of in. A record may straddle two reads.
// buf must hold at least one record.
func decodeAll(in io.Reader, buf []byte, hz hertz, name string, each func(*Record) error) error {
	var rec Record
	kept := 0
	for {
		n, err := in.Read(buf[kept:])
		end := kept + n
		at := 0
		for {
			used, err := decode(buf[at:end], hz, &rec)
			if err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
			if used == 0 {
				break
			}
			at += used
			if err := each(&rec); err != nil {
				return err
			}
		}
		kept = copy(buf, buf[at:end])
		switch {
		case err == io.EOF && kept > 0:
			return fmt.Errorf("read %s: the last %d bytes are no record: %w", name, kept, io.ErrUnexpectedEOF)
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
}
