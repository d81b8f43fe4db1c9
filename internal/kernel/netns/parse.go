//go:build linux

package netns

import (
	"bufio"
	"bytes"
	"io"
)

// parseLink reads the target of a /proc/PID/ns/net link, "net:[4026531840]".
func parseLink(b []byte) (id uint64, ok bool) {
	b, ok = bytes.CutPrefix(b, []byte("net:["))
	if !ok {
		return 0, false
	}
	b, ok = bytes.CutSuffix(b, []byte("]"))
	if !ok || len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		id = id*10 + uint64(c-'0')
	}
	return id, id != 0
}

// mountLine bounds a line of mountinfo; the kernel writes less, for a path is at
// most 4096 bytes, each of which may be escaped to four.
const mountLine = 64 << 10

// parseMounts calls each for every network namespace that /proc/self/mountinfo
// shows as mounted. A namespace file's line reads (proc_pid_mountinfo(5)):
//
//	36 35 0:4 net:[4026532281] /run/netns/blue rw shared:22 - nsfs nsfs rw
func parseMounts(r io.Reader, each func(id uint64, path string)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), mountLine)
	for lines.Scan() {
		line := lines.Bytes()
		if !bytes.Contains(line, []byte(" - nsfs ")) {
			continue
		}
		f := bytes.Fields(line)
		if len(f) < 5 {
			continue
		}
		if id, ok := parseLink(f[3]); ok {
			each(id, unescape(f[4]))
		}
	}
	return lines.Err()
}

// unescape undoes the kernel's octal escapes of space, tab, newline and
// backslash (fs/seq_file.c, mangle_path).
func unescape(b []byte) string {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && len(b)-i >= 4 && octal(b[i+1:i+4]) {
			out = append(out, (b[i+1]-'0')<<6|(b[i+2]-'0')<<3|(b[i+3]-'0'))
			i += 3
			continue
		}
		out = append(out, b[i])
	}
	return string(out)
}

func octal(b []byte) bool {
	return b[0] >= '0' && b[0] <= '3' && b[1] >= '0' && b[1] <= '7' && b[2] >= '0' && b[2] <= '7'
}
