package privilege

import (
	"os"
	"strconv"
	"strings"
)

// needed are the bits of linux/capability.h for what root does in our tests:
// read other users' descriptors, and make and enter namespaces.
var needed = []struct {
	bit  uint
	name string
}{
	{2, "CAP_DAC_READ_SEARCH"}, {12, "CAP_NET_ADMIN"}, {19, "CAP_SYS_PTRACE"}, {21, "CAP_SYS_ADMIN"},
}

// lacking names the first missing capability. Root by name only, in a container
// or a user namespace of its own, has its capabilities over less than the host.
func lacking() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "a readable /proc/self/status"
	}
	uids, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return "a readable /proc/self/uid_map"
	}
	return missing(string(status), string(uids))
}

func missing(status, uidMap string) string {
	// The initial user namespace maps all ids to themselves (user_namespaces(7)).
	if m := strings.Fields(uidMap); len(m) != 3 || m[0] != "0" || m[1] != "0" || m[2] != "4294967295" {
		return "the host's user namespace"
	}
	effective, ok := capEff(status)
	if !ok {
		return "a CapEff line in /proc/self/status"
	}
	for _, c := range needed {
		if effective&(1<<c.bit) == 0 {
			return c.name
		}
	}
	return ""
}

func capEff(status string) (uint64, bool) {
	for line := range strings.Lines(status) {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return set, err == nil
		}
	}
	return 0, false
}
