package symbols

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// process is one process while a stack of it is named. Its folder in /proc stays
// that process's, and reads as gone once it has ended, also when the pid is in
// use again.
type process struct {
	dir     int
	maps    []mapping
	mounted *mounts
	exe     string // the path of its executable, as it sees it
	modules map[string]*module
	jit     *jitMap
}

func openProcess(proc string, pid int, started uint64) (*process, error) {
	if pid <= 0 {
		return nil, ErrGone
	}
	dir, err := unix.Open(proc+"/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, gone(err)
	}
	p := &process{dir: dir, modules: map[string]*module{}}
	if err := p.look(started); err != nil {
		p.close()
		return nil, gone(err)
	}
	return p, nil
}

func (p *process) look(started uint64) error {
	if started != 0 {
		stat, err := p.read("stat", 4096)
		if err != nil {
			return err
		}
		if at, err := parseStarted(stat); err != nil || at != started {
			return ErrGone
		}
	}
	maps, err := p.open("maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	if p.maps, err = parseMaps(maps); err != nil {
		return err
	}
	if len(p.maps) == 0 { // a zombie's, or a kernel thread's
		return ErrGone
	}
	p.exe = p.executable()
	return nil
}

// mounts reads the process's mounts, once: a node of a cluster has thousands.
func (p *process) mounts() mounts {
	if p.mounted == nil {
		p.mounted = &mounts{}
		if in, err := p.open("mountinfo"); err == nil {
			*p.mounted = parseMounts(in)
			in.Close()
		}
	}
	return *p.mounted
}

func gone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return ErrGone
	}
	return err
}

func (p *process) close() {
	for _, m := range p.modules {
		m.close()
	}
	if p.jit != nil && p.jit.in != nil {
		p.jit.in.Close()
	}
	_ = unix.Close(p.dir)
}

// open opens a file of the kernel's below the process's folder.
func (p *process) open(name string) (*os.File, error) {
	fd, err := unix.Openat(p.dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (p *process) read(name string, limit int64) ([]byte, error) {
	in, err := p.open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, limit))
}

func (p *process) executable() string {
	var buf [4096]byte
	n, err := unix.Readlinkat(p.dir, "exe", buf[:])
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(buf[:n]), " (deleted)")
}

// parseStarted reads field 22 of /proc/PID/stat. The name before it is in
// parentheses and may hold any character.
func parseStarted(stat []byte) (uint64, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0, errMalformed
	}
	return strconv.ParseUint(string(fields[19]), 10, 64)
}
