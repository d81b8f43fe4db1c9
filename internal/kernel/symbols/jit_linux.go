package symbols

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// jitMap is a process's perf map, if it has one.
type jitMap struct {
	in    *os.File
	cache string // names the state it is in
}

// openJIT looks for the perf map where Node, Java and .NET write it: in the
// process's own /tmp (or TMPDIR), under the pid that it sees itself.
func (p *process) openJIT() *jitMap {
	status, err := p.read("status", 64<<10)
	if err != nil {
		return &jitMap{}
	}
	uid, pid, ok := parseIdentity(status)
	if !ok {
		return &jitMap{}
	}
	root, err := unix.Openat(p.dir, "root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &jitMap{}
	}
	defer unix.Close(root)
	for _, folder := range p.temporary() {
		name := fmt.Sprintf("%s/perf-%d.map", strings.TrimRight(folder, "/"), pid)
		if p.mounts().foreignPath(name) {
			continue
		}
		in, stat, err := openRegular(root, name)
		if err != nil {
			continue
		}
		// /tmp is everybody's: a map that another user wrote says nothing.
		if stat.Uid != uid && stat.Uid != 0 {
			in.Close()
			continue
		}
		return &jitMap{in, fmt.Sprintf("jit:%d:%d:%d:%d.%d", stat.Dev, stat.Ino, stat.Size, stat.Mtim.Sec, stat.Mtim.Nsec)}
	}
	return &jitMap{}
}

// temporary lists the folders where the process may write its map.
func (p *process) temporary() []string {
	folders := []string{"/tmp"}
	environ, err := p.read("environ", 256<<10)
	if err != nil {
		return folders
	}
	for v := range bytes.SplitSeq(environ, []byte{0}) {
		if dir, ok := bytes.CutPrefix(v, []byte("TMPDIR=/")); ok && len(dir) < 4096 {
			folders = append(folders, "/"+string(dir))
		}
	}
	return folders[:min(len(folders), 2)]
}

// parseIdentity reads, from /proc/PID/status, the effective user and the pid in
// the innermost pid namespace.
func parseIdentity(status []byte) (uid uint32, pid int, ok bool) {
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "Uid:") && len(fields) == 5:
			n, err := strconv.ParseUint(fields[2], 10, 32)
			uid, ok = uint32(n), err == nil
		case strings.HasPrefix(line, "NSpid:") && len(fields) > 1:
			n, err := strconv.Atoi(fields[len(fields)-1])
			return uid, n, ok && err == nil && n > 0
		}
	}
	return 0, 0, false
}

// wanting says how to get names for compiled code, by the program that runs it.
func (j *jitMap) wanting(exe string, pid int) string {
	base := path.Base(exe)
	switch {
	case j.in != nil:
		return "compiled code that its perf map does not list"
	case base == "node" || base == "nodejs":
		return "compiled code: names need node --perf-basic-prof --interpreted-frames-native-stack"
	case base == "java":
		return fmt.Sprintf("compiled code: names need jcmd %d Compiler.perfmap", pid)
	}
	return "compiled code without a perf map"
}

// anonymous is how V8 itself writes a function without a name.
const anonymous = "<anonymous>"

// names finds the compiled functions of addresses.
func (j *jitMap) names(addrs []uint64) map[uint64][]Frame {
	named := map[uint64][]Frame{}
	if j.in == nil {
		return named
	}
	defer j.in.Seek(0, 0)                               //nolint:errcheck // a regular file: the next reader sees nothing instead, and says so
	found, _ := parsePerfMap(j.in, slices.Clone(addrs)) // what was read before an error counts
	for addr, fn := range found {
		f := Frame{Function: method(fn.name), Offset: fn.offset}
		if function, file, line, ok := scripted(fn.name); ok {
			f.Function, f.File, f.Line = function, file, line
		}
		if f.Function == "" { // it is listed, and has no name
			f.Function = anonymous
		}
		named[addr] = []Frame{f}
	}
	return named
}
