package procfs

// cgroupSize holds /proc/PID/cgroup: some 14 hierarchies under cgroup v1, each
// with the same path. A line that does not fit is dropped, not cut.
const (
	cgroupSize = 16 << 10
	maxCgroups = 64
)

// parseCgroups returns the lines of /proc/PID/cgroup. A cgroup's name holds no
// newline (cgroup_mkdir refuses one).
func parseCgroups(text []byte) []string {
	if len(text) == cgroupSize {
		text = text[:lastLine(text)]
	}
	var lines []string
	for len(text) > 0 && len(lines) < maxCgroups {
		var line []byte
		if line, text = nextLine(text); len(line) > 0 {
			lines = append(lines, string(line))
		}
	}
	return lines
}

// lastLine returns where the last whole line of text ends.
func lastLine(text []byte) int {
	n := len(text)
	for n > 0 && text[n-1] != '\n' {
		n--
	}
	return n
}
