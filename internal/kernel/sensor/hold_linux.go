package sensor

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// hold keeps a pinned sensor as it was opened, also when somebody stops it: its
// programs go on for as long as a reader holds their links. Without, they would end
// between two events, and a reader could not tell what it is no more told.
type hold struct {
	dir *os.File // tells whether it is still pinned, and locks its settings
	// places are the readers' directories. The lock on one ends with its process.
	places [Places]*os.File
	lister *link.Iter
}

// holdFolder opens the folder of a pinned sensor and the readers' places in it.
func holdFolder(dir string) (h *hold, err error) {
	h = &hold{}
	if h.dir, err = os.Open(dir); err != nil {
		return nil, err
	}
	for i := range h.places {
		if h.places[i], err = os.Open(filepath.Join(dir, placeName(i))); err != nil {
			return nil, errors.Join(err, h.close())
		}
	}
	return h, nil
}

func (h *hold) close() (err error) {
	if h == nil {
		return nil
	}
	for _, f := range append(h.places[:], h.dir) {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	if h.lister != nil {
		err = errors.Join(err, h.lister.Close())
	}
	return err
}

// openLinks takes hold of what attaches the programs, and of the lister.
func (s *Sensor) openLinks() error {
	for name := range s.set.programs {
		l, err := link.LoadPinnedLink(filepath.Join(s.dir, linkPrefix+name), nil)
		if err != nil {
			return err
		}
		s.set.links[name] = l
	}
	l, err := link.LoadPinnedLink(filepath.Join(s.dir, listProgList), nil)
	if err != nil {
		return err
	}
	iter, ok := l.(*link.Iter)
	if !ok {
		return errors.Join(errors.New(listProgList+" is no iterator"), l.Close())
	}
	s.held.lister = iter
	return nil
}

// open begins a pass over the histories.
func (s *Sensor) open() (io.ReadCloser, error) {
	if s.Pinned() {
		return s.held.lister.Open()
	}
	return s.set.lister.Open()
}

// Readers counts who listens to the sensor that is pinned in dir (Dir if empty): they
// keep it when it is stopped.
func Readers(dir string) (n int) {
	if dir == "" {
		dir = Dir
	}
	h, err := holdFolder(dir)
	if err != nil {
		return 0
	}
	defer h.close()
	// To count a place is to lock it if it is free: not while another takes one.
	if err := unix.Flock(int(h.dir.Fd()), unix.LOCK_EX); err != nil {
		return 0
	}
	for _, f := range h.places {
		if errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) {
			n++
		}
	}
	return n
}

// Stopped reports whether the pinned sensor that was opened is pinned no more: it
// was stopped, and ends when the last that opened it closes it.
func (s *Sensor) Stopped() bool {
	if !s.Pinned() {
		return false
	}
	var st unix.Stat_t
	return errors.Is(unix.Fstatat(int(s.held.dir.Fd()), traceMapControl, &st, unix.AT_SYMLINK_NOFOLLOW), fs.ErrNotExist)
}
