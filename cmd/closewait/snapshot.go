package main

import (
	"bufio"
	"compress/gzip"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/closewait/closewait/internal/observe"
)

// largestSnapshot bounds what is read, unpacked: a million sockets take some
// 600 MB, and a file may hold two looks.
const largestSnapshot = 2 << 30

// openSnapshot reads what was saved from a file or, for "-", from stdin; packed by
// gzip or not. Without a second look, prev is nil.
func openSnapshot(name string, stdin io.Reader) (prev, cur *observe.Snapshot, err error) {
	if name == "-" {
		return readSnapshot("standard input", stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read a saved look: %w", err)
	}
	defer f.Close()
	return readSnapshot(name, f)
}

func readSnapshot(name string, r io.Reader) (prev, cur *observe.Snapshot, err error) {
	in := bufio.NewReader(r)
	r = in
	// RFC 1952 §2.3.1: the two bytes that every gzip file begins with.
	if magic, err := in.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil, fmt.Errorf("cannot unpack %s: %w", name, err)
		}
		r = unpacked
	}
	left := &io.LimitedReader{R: r, N: largestSnapshot}
	prev, cur, err = observe.Read(left)
	switch {
	case left.N == 0:
		return nil, nil, fmt.Errorf("cannot diagnose %s: it is larger than %d bytes", name, int64(largestSnapshot))
	case err != nil:
		return nil, nil, fmt.Errorf("cannot diagnose %s: %w", name, err)
	}
	return prev, cur, nil
}

// saveSnapshot writes one look or two to a file. A file is replaced in one step, so that
// nobody ever reads half of one, and is its owner's only: command lines may hold
// secrets. Anything else that has the name (/dev/null, a pipe) is written to.
func saveSnapshot(name string, looks ...*observe.Snapshot) error {
	err := replaceFile(name, private, func(w io.Writer) error {
		if !strings.HasSuffix(name, ".gz") {
			return observe.Write(w, looks...)
		}
		packed := gzip.NewWriter(w)
		return errors.Join(observe.Write(packed, looks...), packed.Close())
	})
	if err != nil {
		return fmt.Errorf("cannot save to %s: %w", name, err)
	}
	return nil
}

// private is the mode of a file that is its owner's only, public that of one that
// others may read if the umask lets them.
const (
	private fs.FileMode = 0o600
	public  fs.FileMode = 0o666
)

// replaceFile writes a file in one step. A public one that was there keeps its mode.
func replaceFile(name string, mode fs.FileMode, write func(io.Writer) error) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return writeInto(name, write)
	}
	there := err == nil
	// Not os.CreateTemp, which knows no umask.
	f, err := os.OpenFile(filepath.Join(filepath.Dir(name), ".closewait-"+rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if there && mode != private {
		if err := f.Chmod(info.Mode().Perm()); err != nil {
			f.Close()
			return err
		}
	}
	if err := writeBuffered(f, write); err != nil {
		f.Close()
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func writeInto(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(writeBuffered(f, write), f.Close())
}

func writeBuffered(w io.Writer, write func(io.Writer) error) error {
	out := bufio.NewWriterSize(w, 1<<16)
	if err := write(out); err != nil {
		return err
	}
	return out.Flush()
}
