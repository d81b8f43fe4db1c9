package procfs

import (
	"bytes"
	"strings"
)

// cmdlineSize bounds a command line: a longer one is cut.
const cmdlineSize = 4 << 10

// parseCmdline reads /proc/PID/cmdline: arguments that end in NUL. A program
// that wrote a title over them leaves one string and padding, which is dropped.
func parseCmdline(text []byte) []string {
	text = bytes.TrimRight(text, "\x00")
	if len(text) == 0 {
		return nil
	}
	return strings.Split(string(text), "\x00")
}
