package sensor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// ErrRunning says that a sensor is pinned already.
var ErrRunning = errors.New("a sensor is running already")

// ErrNotRunning says that no sensor is pinned.
var ErrNotRunning = errors.New("no sensor is running: start one with \"closewait sensor start\"")

// Names of what is pinned, and where: readers that are not this package find the
// histories as Dir/histories.
const (
	programPrefix = "program_"
	linkPrefix    = "link_"
)

// pinned are the maps that a reader needs.
var pinned = []string{
	traceMapHistories, traceMapStacks, traceMapTallies, traceMapEvents0, traceMapEvents1, traceMapEvents2, traceMapEvents3,
	traceMapControl, // last: with it, the sensor is complete
}

// Start loads a sensor and pins it in dir (Dir if empty): it goes on until Stop
// or a reboot. The error is ErrRunning if there is one, an *UnavailableError if
// the host can not.
func Start(dir string) error {
	if dir == "" {
		dir = Dir
	}
	if err := needFilesystem(filepath.Dir(dir)); err != nil {
		return err
	}
	unlock, err := claim(dir)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := load(traced)
	if err != nil {
		return errors.Join(err, remove(dir))
	}
	if err := s.pin(dir); err != nil {
		return errors.Join(fmt.Errorf("pin the sensor: %w", err), s.close(), remove(dir))
	}
	return s.close()
}

// needFilesystem wants dir, and a BPF filesystem at it.
func needFilesystem(dir string) error {
	there := dir // or the nearest above it that is
	var st unix.Statfs_t
	err := unix.Statfs(there, &st)
	for ; errors.Is(err, fs.ErrNotExist) && filepath.Dir(there) != there; err = unix.Statfs(there, &st) {
		there = filepath.Dir(there)
	}
	switch {
	case err != nil:
		return &UnavailableError{Lack: LackFilesystem, Err: &fs.PathError{Op: "statfs", Path: there, Err: err}}
	case uint32(st.Type) != unix.BPF_FS_MAGIC:
		return &UnavailableError{Lack: LackFilesystem, Err: fmt.Errorf("%s is none", there)}
	case there != dir:
		return fmt.Errorf("pin the sensor: there is no folder %s: make it first (mkdir -p %s)", dir, dir)
	}
	return nil
}

// claim makes dir and locks it. What a starter that was killed has left is removed.
func claim(dir string) (unlock func(), err error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			return nil, &UnavailableError{Lack: LackPrivilege, Err: err}
		}
		return nil, fmt.Errorf("pin the sensor: %w", err)
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("pin the sensor: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if _, err := os.Stat(filepath.Join(dir, traceMapControl)); err == nil {
		f.Close()
		return nil, ErrRunning
	}
	if err := empty(dir); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// pin leaves everything in dir.
func (s *set) pin(dir string) error {
	for i := range Places {
		if err := os.Mkdir(filepath.Join(dir, placeName(i)), 0o700); err != nil {
			return err
		}
	}
	for name, p := range s.programs {
		if err := p.Pin(filepath.Join(dir, programPrefix+name)); err != nil {
			return err
		}
	}
	for name, l := range s.links {
		if err := l.Pin(filepath.Join(dir, linkPrefix+name)); err != nil {
			return err
		}
	}
	if err := s.lister.Pin(filepath.Join(dir, listProgList)); err != nil {
		return err
	}
	for _, name := range pinned {
		if err := s.maps[name].Pin(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// Open returns the sensor that is pinned in dir (Dir if empty), ErrNotRunning if
// there is none, a *LayoutError if another version of closewait started it. Who has
// opened it keeps it until Close, also when somebody stops it (Stopped).
func Open(dir string) (*Sensor, error) {
	if dir == "" {
		dir = Dir
	}
	control, err := ebpf.LoadPinnedMap(filepath.Join(dir, traceMapControl), nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNotRunning
	case err != nil:
		return nil, fmt.Errorf("open the sensor: %w", unavailable(err))
	}
	s := &Sensor{dir: dir, set: &set{
		maps: map[string]*ebpf.Map{traceMapControl: control}, programs: map[string]*ebpf.Program{}, links: map[string]link.Link{},
	}}
	if err := s.checkLayout(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	switch err := s.openPins(); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.Join(ErrNotRunning, s.Close()) // it is just being stopped
	case err != nil:
		return nil, errors.Join(fmt.Errorf("open the sensor: %w", unavailable(err)), s.Close())
	}
	return s, nil
}

// checkLayout reads the one number that every layout has in its place.
func (s *Sensor) checkLayout() error {
	b, err := s.set.maps[traceMapControl].LookupBytes(uint32(0))
	if err != nil {
		return fmt.Errorf("open the sensor: %w", unavailable(err))
	}
	have := uint32(0)
	if len(b) >= 4 {
		have = binary.LittleEndian.Uint32(b)
	}
	if have != layout {
		return &LayoutError{Dir: s.dir, Have: have, Want: layout}
	}
	return nil
}

func (s *Sensor) openPins() (err error) {
	if s.held, err = holdFolder(s.dir); err != nil {
		return err
	}
	for _, name := range pinned {
		if name == traceMapControl {
			continue
		}
		m, err := ebpf.LoadPinnedMap(filepath.Join(s.dir, name), nil)
		if err != nil {
			return err
		}
		s.set.maps[name] = m
	}
	for _, t := range tracepoints {
		p, err := ebpf.LoadPinnedProgram(filepath.Join(s.dir, programPrefix+t.program), nil)
		if errors.Is(err, fs.ErrNotExist) {
			continue // this kernel has no such tracepoint
		}
		if err != nil {
			return err
		}
		s.set.programs[t.program] = p
	}
	return s.openLinks()
}

// Stop ends the sensor that is pinned in dir (Dir if empty), whatever version of
// closewait started it; for those that have it open, when they close it. The error is
// ErrNotRunning if there is none.
func Stop(dir string) error {
	if dir == "" {
		dir = Dir
	}
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("stop the sensor: %w", err)
	}
	defer f.Close()
	// Not while another starts it.
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("stop the sensor: %w", err)
	}
	if err := remove(dir); err != nil {
		return fmt.Errorf("stop the sensor: %w", err)
	}
	return nil
}

// remove removes dir and what is pinned in it. The links go first: then nothing
// runs any more that nobody holds, even if the rest can not be removed.
func remove(dir string) error {
	if err := empty(dir); err != nil {
		return err
	}
	return os.Remove(dir)
}

func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, links := range []bool{true, false} {
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), linkPrefix) != links {
				continue
			}
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
