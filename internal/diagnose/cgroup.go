package diagnose

import (
	"regexp"
	"strings"
)

// placement is where a process runs, as its cgroup path tells.
type placement struct {
	container, runtime, pod, unit, path string
}

// place reads the lines of /proc/PID/cgroup ("hierarchy:controllers:path"). It
// reads cgroup v2, v1 and hybrid hosts: of all paths the one that says the most
// wins, the unified one first.
func place(lines []string) placement {
	var best placement
	score := -1
	for _, line := range lines {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 || !strings.HasPrefix(parts[2], "/") {
			continue
		}
		p := placePath(parts[2])
		s := p.score()
		if parts[0] == "0" {
			s++
		}
		if s > score {
			best, score = p, s
		}
	}
	return best
}

func (p placement) score() int {
	s := 0
	for _, field := range []string{p.container, p.pod, p.unit} {
		if field != "" {
			s += 4
		}
	}
	if p.path != "/" {
		s += 2
	}
	return s
}

var (
	// 64 hex digits name a container for every OCI runtime in use; the prefix
	// before them, or the folder above them, says which.
	containerID = regexp.MustCompile(`^(?:([a-z][a-z-]*?)-)?([0-9a-f]{64})(?:\.scope)?$`)
	// containerd's "slice:prefix:id" form.
	containerdID = regexp.MustCompile(`^[^:]*:([a-z-]+):([0-9a-f]{64})$`)
	// kubepods/burstable/pod<uid>, kubepods-burstable-pod<uid with _>.slice
	podUID  = regexp.MustCompile(`(?:^|-)pod([0-9a-fA-F]{8}[-_][0-9a-fA-F]{4}[-_][0-9a-fA-F]{4}[-_][0-9a-fA-F]{4}[-_][0-9a-fA-F]{12}|[0-9a-f]{32})(?:\.slice)?(?:$|:)`)
	lxcName = regexp.MustCompile(`^lxc\.payload\.(.+)$`)
	nspawn  = regexp.MustCompile(`^(?:systemd-nspawn@(.+)\.service|machine-(.+)\.scope)$`)
)

var runtimes = map[string]string{
	"docker": "docker", "cri-containerd": "containerd", "containerd": "containerd", "crio": "cri-o",
	"libpod": "podman", "libpod_parent": "podman", "podman": "podman", "ecs": "ecs", "kubepods": "kubernetes",
	"nerdctl": "containerd", "lxc": "lxc", "garden": "garden", "buildkit": "buildkit",
}

func placePath(path string) placement {
	p := placement{path: path}
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' }) // none is empty
	for i, part := range parts {
		if m := podUID.FindStringSubmatch(part); m != nil {
			p.pod = strings.ToLower(strings.ReplaceAll(m[1], "_", "-"))
		}
		p.readPart(part, parts[:i])
	}
	return p
}

// readPart takes what one component of the path says; deeper ones overrule, and
// the unit of a container's runtime is not the container's.
func (p *placement) readPart(part string, above []string) {
	last := ""
	if len(above) > 0 {
		last = above[len(above)-1]
	}
	in := func(container, runtime string) { p.container, p.runtime, p.unit = container, runtime, "" }
	switch {
	case containerID.MatchString(part) && !strings.Contains(part, "conmon-"): // that is its monitor, outside of it
		m := containerID.FindStringSubmatch(part)
		in(m[2], runtimeOf(m[1], above))
	case containerdID.MatchString(part):
		m := containerdID.FindStringSubmatch(part)
		in(m[2], runtimeOf(m[1], above))
	case lxcName.MatchString(part):
		in(lxcName.FindStringSubmatch(part)[1], "lxc")
	case last == "lxc" || last == "lxc.payload":
		in(part, "lxc")
	case nspawn.MatchString(part) && !strings.HasPrefix(part, `machine-qemu\x2d`): // that is a virtual machine
		m := nspawn.FindStringSubmatch(part)
		in(strings.ReplaceAll(m[1]+m[2], `\x2d`, "-"), "systemd-nspawn")
	case strings.HasSuffix(part, ".service"):
		p.unit = part
	case strings.HasSuffix(part, ".scope") && part != "init.scope":
		p.unit = part
	}
}

// runtimeOf knows a runtime by the prefix of the container's id, or else by the
// nearest folder above it.
func runtimeOf(prefix string, above []string) string {
	if r := runtimeNamed(prefix); r != "" {
		return r
	}
	for i := len(above) - 1; i >= 0; i-- {
		if r := runtimeNamed(above[i]); r != "" {
			return r
		}
	}
	return ""
}

// runtimeNamed reads "docker", "docker.service" and "kubepods-burstable-…".
func runtimeNamed(name string) string {
	if r := runtimes[name]; r != "" {
		return r
	}
	if i := strings.IndexAny(name, "-."); i > 0 {
		return runtimes[name[:i]]
	}
	return ""
}
