// Package cgroup asks whether a control group's freezer holds a process, as "docker
// pause", "systemctl freeze" and hibernating container hosts have it: such a process
// runs no instruction and, with cgroup v2, looks asleep in /proc/PID/stat.
//
// It reads cgroup.events (Linux 5.2) and, of cgroup v1, freezer.state. No privilege is
// needed. What lies outside the mount that this process sees is not told: a container
// with a cgroup namespace of its own sees its own part of the tree.
package cgroup

import (
	"bytes"
	"os"
	"path"
	"strings"
)

// Freezers are those of this host. They remember each answer: one value serves one
// look. The zero Freezers hold nothing. Not for several goroutines at a time.
type Freezers struct {
	root  *os.Root // no path leads out of it: those of other namespaces begin with ".."
	known map[string]bool
}

// Open finds them. A host without cgroups has none, which is no error.
func Open() Freezers {
	root, err := os.OpenRoot("/sys/fs/cgroup")
	if err != nil {
		return Freezers{}
	}
	return Freezers{root: root, known: map[string]bool{}}
}

// Close lets go of them.
func (f *Freezers) Close() {
	if f.root != nil {
		_ = f.root.Close()
	}
}

// Hold reports whether a process is frozen, by the lines of its /proc/PID/cgroup. The
// freezer of a group holds those of the groups below it too, which say so themselves.
func (f *Freezers) Hold(lines []string) bool {
	for _, line := range lines {
		_, rest, _ := strings.Cut(line, ":")
		controllers, group, ok := strings.Cut(rest, ":")
		switch {
		case !ok:
		case controllers == "": // cgroup v2, the whole tree or beside v1
			if f.says(path.Join(".", group, "cgroup.events"), "frozen 1") || f.says(path.Join("unified", group, "cgroup.events"), "frozen 1") {
				return true
			}
		case controllers == "freezer":
			at := path.Join("freezer", group, "freezer.state")
			if f.says(at, "FROZEN") || f.says(at, "FREEZING") {
				return true
			}
		}
	}
	return false
}

// says reports whether a file has a line.
func (f *Freezers) says(name, line string) bool {
	if f.root == nil {
		return false
	}
	key := name + "\n" + line
	told, asked := f.known[key]
	if !asked {
		text, err := f.root.ReadFile(name)
		told = err == nil && bytes.Contains(append([]byte("\n"), text...), []byte("\n"+line+"\n"))
		f.known[key] = told
	}
	return told
}
