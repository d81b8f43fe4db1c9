package bpfiter

import (
	"fmt"
	"io"
)

// chunk is what one read returned: buf[headroom:end], or why there is no more.
type chunk struct {
	buf []byte
	end int
	err error
}

// headroom is kept free at the beginning of a chunk for the record that the one
// before it broke off.
const headroom = sizeRecord

// mostAhead is how many chunks may wait to be decoded. While the other kind of
// pass has the second processor, that is most of them.
const mostAhead = 256

// readAhead fills chunks of size bytes from in until that ends or stop is closed.
// The kernel's work, a read, is then done beside ours, on the records before. What
// was decoded comes back through free.
func readAhead(in io.Reader, size int, free <-chan []byte, stop <-chan struct{}) <-chan chunk {
	full := make(chan chunk, mostAhead)
	go func() {
		defer close(full)
		for {
			var buf []byte
			select {
			case buf = <-free:
			default:
				buf = make([]byte, headroom+size)
			}
			n, err := in.Read(buf[headroom:])
			select {
			case full <- chunk{buf, headroom + n, err}:
			case <-stop:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return full
}

// decodeAll calls each for every record of in, which it reads in pieces of at most
// size bytes. A record may straddle two of them. It returns when in is no more read.
func decodeAll(in io.Reader, size int, hz hertz, name string, each func(*Record) error) error {
	free, stop := make(chan []byte, mostAhead+2), make(chan struct{})
	full := readAhead(in, size, free, stop)
	err := decodeChunks(full, free, hz, name, each)
	close(stop)
	for range full { // until the reading has ended
	}
	return err
}

func decodeChunks(full <-chan chunk, free chan<- []byte, hz hertz, name string, each func(*Record) error) error {
	var rec Record
	var rest []byte // the beginning of a record
	for c := range full {
		at := headroom - copy(c.buf[headroom-len(rest):], rest)
		for {
			used, err := decode(c.buf[at:c.end], hz, &rec)
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
		rest = append(rest[:0], c.buf[at:c.end]...)
		switch {
		case c.err == io.EOF && len(rest) > 0:
			return fmt.Errorf("read %s: the last %d bytes are no record: %w", name, len(rest), io.ErrUnexpectedEOF)
		case c.err == io.EOF:
			return nil
		case c.err != nil:
			return fmt.Errorf("read %s: %w", name, c.err)
		}
		free <- c.buf
	}
	return nil
}
