package symbols

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// mounts are a process's mounts, from /proc/PID/mountinfo (proc_pid_mountinfo(5)).
type mounts struct {
	kinds map[string]string // filesystem type by device, as maps writes it
	fuse  []string          // mount points of FUSE
}

// Bounds on mountinfo: a node of Kubernetes has some thousand mounts.
const (
	maxMountBytes = 32 << 20
	maxMounts     = 100_000
)

func parseMounts(in io.Reader) mounts {
	m := mounts{kinds: map[string]string{}}
	lines := bufio.NewScanner(io.LimitReader(in, maxMountBytes))
	lines.Buffer(nil, 64<<10)
	for n := 0; n < maxMounts && lines.Scan(); n++ {
		head, tail, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(head)
		if !ok || len(fields) < 5 {
			continue
		}
		major, minor, _ := strings.Cut(fields[2], ":")
		a, err1 := strconv.ParseUint(major, 10, 32)
		b, err2 := strconv.ParseUint(minor, 10, 32)
		if err1 != nil || err2 != nil {
			continue
		}
		kind, _, _ := strings.Cut(tail, " ")
		m.kinds[fmt.Sprintf("%02x:%02x", a, b)] = kind
		if foreign(kind) {
			m.fuse = append(m.fuse, fields[4])
		}
	}
	return m
}

// foreign tells whether reading from a filesystem waits for a program, which may
// be anybody's and never answer.
func foreign(kind string) bool { return kind == "fuse" || strings.HasPrefix(kind, "fuse.") }

// foreignPath tells whether a path may lie on FUSE.
func (m mounts) foreignPath(path string) bool {
	for _, point := range m.fuse {
		if point == "/" || path == point || strings.HasPrefix(path, strings.TrimSuffix(point, "/")+"/") {
			return true
		}
	}
	return false
}
