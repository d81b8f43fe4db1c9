//go:build linux

package netns

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Namespace is one network namespace.
type Namespace struct {
	// ID is its inode number on nsfs, of which a kernel has exactly one: it names
	// the namespace for as long as it lives.
	ID uint64
	// Name is the last element of the path it is bind-mounted on, "" if it is not.
	Name string
	// Mount is that path. Of several the first in mountinfo is taken.
	Mount string
	// PIDs are the processes in it that could be seen, in ascending order.
	PIDs []int
	// Own is set for the namespace of this process.
	Own bool

	root string // the proc file system it was found in
}

// Path is a file that can be opened to enter the namespace. It may come to name
// another namespace once the process behind it has ended; Open checks.
func (n *Namespace) Path() string {
	if paths := n.paths(); len(paths) > 0 {
		return paths[0]
	}
	return ""
}

// paths lists where the namespace may be opened, the most lasting first.
func (n *Namespace) paths() []string {
	var paths []string
	if n.Own {
		paths = append(paths, filepath.Join(n.root, ownLink))
	}
	if n.Mount != "" {
		paths = append(paths, n.Mount)
	}
	for _, pid := range n.PIDs {
		paths = append(paths, filepath.Join(n.root, strconv.Itoa(pid), "ns/net"))
	}
	return paths
}

// Open opens the namespace and makes sure that it is the one that was listed:
// a process may have ended, and its number have been given away, since. While
// the file is open the namespace lives.
func (n *Namespace) Open() (*os.File, error) {
	first := ErrGone
	for _, path := range n.paths() {
		f, err := os.Open(path)
		if err != nil {
			if !gone(err) && errors.Is(first, ErrGone) {
				first = cause(err)
			}
			continue
		}
		if id, err := Identify(f); err == nil && id == n.ID {
			return f, nil
		}
		_ = f.Close()
	}
	return nil, &Error{Op: "open", Path: n.Path(), Err: first}
}

// Identify returns the ID of the network namespace that f is an open file of.
func Identify(f *os.File) (uint64, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, &Error{Op: "identify", Path: f.Name(), Err: err}
	}
	var id uint64
	var inner error
	err = raw.Control(func(fd uintptr) { id, inner = identify(int(fd)) })
	if err == nil {
		err = inner
	}
	if err != nil {
		return 0, &Error{Op: "identify", Path: f.Name(), Err: err}
	}
	return id, nil
}

func identify(fd int) (uint64, error) {
	typ, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err != nil || typ != unix.CLONE_NEWNET {
		return 0, ErrNotNetwork
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, err
	}
	return st.Ino, nil
}

// gone reports whether err says that the process or mount is no more. Reading
// a process's files answers ESRCH between its exit and its burial.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// cause takes the path off an error whose path is told by Error.Path.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
