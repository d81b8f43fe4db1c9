//go:build linux

package netns

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Options is where to look.
type Options struct {
	// ProcRoot is the proc file system; "" means /proc.
	ProcRoot string
}

// Listing is what List saw.
type Listing struct {
	// Namespaces are the namespaces, each once: the own one first, then by ID.
	Namespaces []Namespace
	// Processes is how many processes there were, Hidden how many of them would
	// not show their namespace for lack of privilege.
	Processes, Hidden int
	// Errors is what else went wrong; the rest of the listing stands.
	Errors []error
}

// List finds the network namespaces. It costs one readlink a process. The
// error is not nil only when the own namespace or the list of processes can not
// be read.
func List(opts Options) (Listing, error) {
	if opts.ProcRoot == "" {
		opts.ProcRoot = "/proc"
	}
	proc, s, err := begin(opts.ProcRoot)
	if err != nil {
		return Listing{}, err
	}
	defer proc.Close()
	if err := s.processes(proc); err != nil {
		return Listing{}, &Error{Op: "list", Path: opts.ProcRoot, Err: cause(err)}
	}
	if err := s.mounts(); err != nil {
		s.out.Errors = append(s.out.Errors, &Error{Op: "list", Path: filepath.Join(opts.ProcRoot, "self/mountinfo"), Err: cause(err)})
	}
	slices.SortFunc(s.out.Namespaces[1:], func(a, b Namespace) int { return cmp.Compare(a.ID, b.ID) })
	return s.out, nil
}

// begin opens the proc file system and finds the own namespace. The caller closes
// the file.
func begin(root string) (*os.File, *search, error) {
	proc, err := os.Open(root)
	if err != nil {
		return nil, nil, &Error{Op: "list", Path: root, Err: cause(err)}
	}
	s := &search{root: root, proc: int(proc.Fd()), at: map[uint64]int{}}
	own, err := s.link(ownLink)
	if err != nil {
		_ = proc.Close()
		return nil, nil, &Error{Op: "list", Path: filepath.Join(root, ownLink), Err: err}
	}
	s.find(own).Own = true
	return proc, s, nil
}

// ownLink is the own namespace. Not by way of /proc/self: that is the main
// thread, and code elsewhere may have it in another namespace for a moment. A
// thread that runs goroutines at large is at home.
const ownLink = "thread-self/ns/net"

// search is one List under way.
type search struct {
	root string
	proc int // descriptor of root
	at   map[uint64]int
	buf  [64]byte
	out  Listing
}

// find returns the namespace with the given id, new if need be. The pointer
// holds until the next find.
func (s *search) find(id uint64) *Namespace {
	i, ok := s.at[id]
	if !ok {
		i = len(s.out.Namespaces)
		s.at[id] = i
		s.out.Namespaces = append(s.out.Namespaces, Namespace{ID: id, root: s.root})
	}
	return &s.out.Namespaces[i]
}

func (s *search) processes(proc *os.File) error {
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid <= 0 {
			continue
		}
		s.process(pid)
	}
	s.sortPIDs()
	return nil
}

// process adds a process to its namespace.
func (s *search) process(pid int) {
	link := strconv.Itoa(pid) + "/ns/net"
	id, err := s.link(link)
	if err != nil && gone(err) {
		return
	}
	s.out.Processes++
	switch {
	case errors.Is(err, fs.ErrPermission):
		s.out.Hidden++
	case err != nil:
		s.out.Errors = append(s.out.Errors, &Error{Op: "list", Path: filepath.Join(s.root, link), Err: err})
	default:
		ns := s.find(id)
		ns.PIDs = append(ns.PIDs, pid)
	}
}

func (s *search) sortPIDs() {
	for i := range s.out.Namespaces {
		slices.Sort(s.out.Namespaces[i].PIDs)
	}
}

// link reads the namespace that a link below root names.
func (s *search) link(path string) (uint64, error) {
	n, err := unix.Readlinkat(s.proc, path, s.buf[:])
	if err != nil {
		return 0, err
	}
	id, ok := parseLink(s.buf[:n])
	if !ok {
		return 0, ErrNotNetwork
	}
	return id, nil
}

func (s *search) mounts() error {
	f, err := os.Open(filepath.Join(s.root, "self/mountinfo"))
	if err != nil {
		return err
	}
	defer f.Close()
	return parseMounts(f, func(id uint64, path string) {
		ns := s.find(id)
		if ns.Mount == "" {
			ns.Mount, ns.Name = path, filepath.Base(path)
		}
	})
}
