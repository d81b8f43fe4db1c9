package symbols

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// module is one mapped file. Its fields are nil or empty where there is no such
// thing, or where it can not be read: then note says why.
type module struct {
	elf    *elfFile
	golang bool   // a Go program, in part at least
	debug  string // the folder of separate debug files
	system bool   // nobody wants to see its lines
	cache  string // names the file's contents, for the cache
	note   string
	open   []io.Closer
	named  map[uint64][]Frame // what was found this time, by address in the file

	read  bool // goTable was called
	table *pclntab
	main  string
}

func (m *module) close() {
	for _, c := range m.open {
		_ = c.Close()
	}
}

// module returns the module behind a mapping.
func (p *process) module(m mapping, debugRoot string) *module {
	name := fmt.Sprintf("%s:%d:%s", m.dev, m.inode, m.path)
	if known, ok := p.modules[name]; ok {
		return known
	}
	loaded, err := p.load(m)
	if err != nil {
		loaded.note = "no names: " + reason(err)
	}
	if loaded.elf != nil {
		loaded.golang = loaded.elf.pclntab() != nil
	}
	loaded.debug = debugRoot
	p.modules[name] = loaded
	return loaded
}

func reason(err error) string {
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return "the file may not be read without privilege"
	case errors.Is(err, unix.ENOENT), errors.Is(err, errReplaced):
		return "the file was deleted or replaced, and its old contents need CAP_SYS_ADMIN"
	case errors.Is(err, errForeign):
		return "the file is on FUSE, and is not read"
	case errors.Is(err, errNotRegular):
		return "not a regular file"
	}
	return "the file is not a program that can be read"
}

var (
	errReplaced = errors.New("another file has that path now")
	errForeign  = errors.New("on FUSE")
)

func (p *process) load(m mapping) (*module, error) {
	loaded := &module{system: plumbingModule(path.Base(m.path))}
	if m.inode == 0 {
		if m.path != "[vdso]" {
			return loaded, nil
		}
		// The kernel's own, an ELF file that exists in memory only.
		mem, err := p.open("mem")
		if err != nil {
			return loaded, err
		}
		loaded.open = append(loaded.open, mem)
		loaded.elf, err = newELF(io.NewSectionReader(mem, int64(m.start), int64(m.end-m.start)))
		return loaded, err
	}
	in, stat, err := p.openMapped(m)
	if err != nil {
		return loaded, err
	}
	loaded.open = append(loaded.open, in)
	// Not the build id alone: anybody can give a file another's, and so have its
	// names shown as the other's.
	loaded.cache = fmt.Sprintf("%s:%d:%d:%d.%d", m.dev, stat.Ino, stat.Size, stat.Ctim.Sec, stat.Ctim.Nsec)
	loaded.elf, err = newELF(in)
	return loaded, err
}

// openMapped opens the very file that is mapped, whatever its path leads to now;
// without the privilege for that, the file at its path if it is still the same.
func (p *process) openMapped(m mapping) (*os.File, *unix.Stat_t, error) {
	// A filesystem on a block device is the kernel's; FUSE has no device of its own.
	if strings.HasPrefix(m.dev, "00:") && foreign(p.mounts().kinds[m.dev]) {
		return nil, nil, errForeign
	}
	fd, err := unix.Openat(p.dir, fmt.Sprintf("map_files/%x-%x", m.start, m.end), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
		in, stat, err := reopen(fd)
		if err == nil && stat.Ino != m.inode {
			in.Close()
			return nil, nil, errReplaced // it was mapped anew since
		}
		return in, stat, err
	}
	kind, mounted := p.mounts().kinds[m.dev]
	if m.deleted || !mounted || p.mounts().foreignPath(m.path) {
		return nil, nil, errors.Join(errReplaced, err)
	}
	root, err := unix.Openat(p.dir, "root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(root)
	in, stat, err := openRegular(root, m.path)
	if err != nil {
		return nil, nil, err
	}
	// These two give a file another device than its filesystem has.
	sameDevice := kind == "btrfs" || kind == "overlay" ||
		fmt.Sprintf("%02x:%02x", unix.Major(stat.Dev), unix.Minor(stat.Dev)) == m.dev
	if stat.Ino != m.inode || !sameDevice {
		in.Close()
		return nil, nil, errReplaced
	}
	return in, stat, nil
}

// goTable reads what is needed to name Go code, once: finding it takes longer than
// to take names from the cache. main is the path of the main module. It is nil
// where there is no such thing.
func (m *module) goTable() (table *pclntab, main string) {
	if m.golang && !m.read {
		m.read = true
		s := m.elf.pclntab()
		if table, err := newPclntab(s, s.Addr, m.elf); err == nil {
			m.table, m.main = table, mainModule(m.elf.in)
		}
	}
	return m.table, m.main
}

func mainModule(in io.ReaderAt) (path string) {
	defer func() { _ = recover() }() // a hostile file; the path is a refinement
	info, err := buildinfo.Read(&budget{in, headBudget})
	if err != nil || len(info.Main.Path) > maxText {
		return ""
	}
	return info.Main.Path
}

// openDebug opens the separate file of debug information, as Debian's -dbgsym
// packages install it. It belongs to the host's administrator. It is nil where
// there is none.
func (m *module) openDebug() *elfFile {
	id := m.elf.buildID()
	if m.golang || len(id) < 6 || m.debug == "" {
		return nil
	}
	in, err := os.Open(m.debug + "/.build-id/" + id[:2] + "/" + id[2:] + ".debug")
	if err != nil {
		return nil
	}
	debug, err := newELF(in)
	if err != nil || debug.buildID() != id {
		in.Close()
		return nil
	}
	m.open = append(m.open, in)
	return debug
}
