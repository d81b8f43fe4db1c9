package procfs

import (
	"slices"

	"golang.org/x/sys/unix"
)

// reading is one look at one process.
type reading struct {
	pid int
	// main is the process's folder; living is the same or, when the main thread
	// has ended before the others and so shows neither program nor descriptors,
	// that of a thread that runs on.
	main, living folder
	buf          [cgroupSize]byte
	denied       []string
}

func (r *reading) close() {
	if r.living != r.main {
		r.living.close()
	}
	r.main.close()
}

// identity is what stays the same while a process runs one program. An exec
// keeps start, and may keep comm and exe; it moves code and stack.
type identity struct {
	start       uint64
	comm, exe   string
	code, stack uint64
}

func (r *reading) identity() (identity, stat, error) {
	s, err := r.main.stat(r.buf[:statSize])
	if err == nil && s.gone() {
		err = ErrGone
	}
	if err != nil {
		return identity{}, stat{}, processError(r.pid, "stat", err)
	}
	program := s
	if s.exiting() && r.living == r.main {
		thread, ok := r.main.thread()
		if !ok {
			return identity{}, stat{}, processError(r.pid, "task", ErrGone)
		}
		r.living = thread
	}
	if r.living != r.main {
		if program, err = r.living.stat(r.buf[:statSize]); err != nil {
			return identity{}, stat{}, processError(r.pid, "task", err)
		}
		s.state = program.state
	}
	exe, err := r.link("exe")
	if err != nil {
		return identity{}, stat{}, err
	}
	if exe != nil && program.startCode == 0 {
		// Inside execve: the new program is mapped, its name and arguments may
		// not be in place (fs/binfmt_elf.c sets start_code last).
		return identity{}, stat{}, processError(r.pid, "stat", ErrChanged)
	}
	return identity{s.start, s.comm, string(exe), program.startCode, program.startStack}, s, nil
}

// fill reads everything but the identity. A file that does not exist leaves
// its fields zero: an older kernel lacks it, or the process has ended, which
// the second identity finds out.
func (r *reading) fill(p *Process) error {
	text, err := r.file(r.main, "status", statusSize)
	if err != nil {
		return err
	}
	st, err := parseStatus(text)
	if err != nil {
		return processError(r.pid, "status", err)
	}
	p.UID, p.NSPIDs = st.uid, st.nspids
	if text, err = r.file(r.living, "cmdline", cmdlineSize); err != nil {
		return err
	}
	p.Cmdline = parseCmdline(text)
	if text, err = r.file(r.main, "cgroup", cgroupSize); err != nil {
		return err
	}
	p.Cgroups = parseCgroups(text)
	if text, err = r.file(r.main, "limits", limitsSize); err != nil {
		return err
	}
	if len(text) > 0 {
		if p.NoFileSoft, p.NoFileHard, err = parseLimits(text); err != nil {
			return processError(r.pid, "limits", err)
		}
	}
	if text, err = r.link("ns/net"); err != nil {
		return err
	}
	_, p.NetNS = parseLink(text)
	p.OpenFiles, err = r.openFiles()
	return err
}

// file reads a file of the process.
func (r *reading) file(d folder, name string, size int) ([]byte, error) {
	text, err := d.read(name, r.buf[:size])
	return text, r.tolerate(name, err)
}

// link reads a link of the process.
func (r *reading) link(name string) ([]byte, error) {
	to, err := r.living.link(name, r.buf[:unix.PathMax])
	return to, r.tolerate(name, err)
}

// openFiles counts the descriptors. Since Linux 6.2 that is the size of the fd
// folder (proc_fd_getattr), which anybody may ask for; before, it is 0.
func (r *reading) openFiles() (int, error) {
	var st unix.Stat_t
	err := unix.Fstatat(r.living.fd, "fd", &st, 0)
	if err == nil && st.Size > 0 {
		return int(st.Size), nil
	}
	count := 0
	if err == nil {
		count, err = r.living.countDescriptors()
	}
	return count, r.tolerate("fd", err)
}

// tolerate turns the errors that only leave a gap into none.
func (r *reading) tolerate(name string, err error) error {
	switch {
	case err == nil, err == unix.ENOENT:
		return nil
	case denied(err):
		if !slices.Contains(r.denied, name) {
			r.denied = append(r.denied, name)
		}
		return nil
	}
	return processError(r.pid, name, err)
}
