package procfs

import (
	"bytes"
	"math"
)

// limitsSize holds /proc/PID/limits, 17 lines of 80 columns.
const limitsSize = 4 << 10

// parseLimits returns the soft and hard limit of open files from
// /proc/PID/limits; "unlimited" is math.MaxUint64. prometheus/procfs is not
// used here: it gives the soft limit only.
func parseLimits(text []byte) (soft, hard uint64, err error) {
	for len(text) > 0 {
		var line []byte
		line, text = nextLine(text)
		value, ok := bytes.CutPrefix(line, []byte("Max open files"))
		if !ok {
			continue
		}
		first, value := nextWord(value)
		second, _ := nextWord(value)
		soft, ok1 := parseLimit(first)
		hard, ok2 := parseLimit(second)
		if !ok1 || !ok2 {
			return 0, 0, ErrMalformed
		}
		return soft, hard, nil
	}
	return 0, 0, ErrMalformed
}

func parseLimit(word []byte) (uint64, bool) {
	if string(word) == "unlimited" {
		return math.MaxUint64, true
	}
	return number(word)
}
