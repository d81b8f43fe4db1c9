package procfs

import "bytes"

// statusSize holds /proc/PID/status up to and beyond the NSpid line, which
// follows the supplementary groups; maxNSPIDs is MAX_PID_NS_LEVEL.
const (
	statusSize = 8 << 10
	maxNSPIDs  = 32
)

// status is the part of /proc/PID/status that is used here.
type status struct {
	uid    uint32 // effective
	nspids []int  // in the namespaces below the mount's, outermost first
}

// parseStatus reads /proc/PID/status. The kernel escapes newlines in the name,
// so a line is a line. Both lines may be missing: NSpid came with Linux 4.1.
func parseStatus(text []byte) (status, error) {
	var s status
	for len(text) > 0 {
		var line []byte
		line, text = nextLine(text)
		key, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		switch string(key) {
		case "Uid": // real, effective, saved, filesystem
			_, value = nextWord(value)
			word, _ := nextWord(value)
			uid, ok := number(word)
			if !ok || uid > 1<<32-1 {
				return status{}, ErrMalformed
			}
			s.uid = uint32(uid)
		case "NSpid": // the mount's own, then deeper ones
			_, value = nextWord(value)
			pids, ok := parsePIDs(value)
			if !ok {
				return status{}, ErrMalformed
			}
			s.nspids = pids
			return s, nil // nothing of use follows
		}
	}
	return s, nil
}

func parsePIDs(text []byte) ([]int, bool) {
	var pids []int
	for {
		var word []byte
		if word, text = nextWord(text); len(word) == 0 {
			return pids, true
		}
		pid, ok := number(word)
		if !ok || pid > maxPID || len(pids) == maxNSPIDs {
			return nil, false
		}
		pids = append(pids, int(pid))
	}
}

// nextLine takes a line off b.
func nextLine(b []byte) (line, rest []byte) {
	if end := bytes.IndexByte(b, '\n'); end >= 0 {
		return b[:end], b[end+1:]
	}
	return b, nil
}
