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
	"lxc": "lxc", "garden": "garden", "buildkit": "buildkit",
}

func placePath(path string) placement {
	p := placement{path: path}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, part := range parts {
		if m := podUID.FindStringSubmatch(part); m != nil {
			p.pod = strings.ToLower(strings.ReplaceAll(m[1], "_", "-"))
		}
		above := ""
		if i > 0 {
			above = parts[i-1]
		}
		p.readPart(part, above, parts[0])
	}
	return p
}

// readPart takes what one component of the path says; deeper ones overrule.
func (p *placement) readPart(part, above, root string) {
	switch {
	case containerID.MatchString(part):
		m := containerID.FindStringSubmatch(part)
		p.container, p.runtime = m[2], firstKnown(m[1], above, root)
		p.unit = ""
	case containerdID.MatchString(part):
		m := containerdID.FindStringSubmatch(part)
		p.container, p.runtime = m[2], firstKnown(m[1], above, root)
		p.unit = ""
	case lxcName.MatchString(part):
		p.container, p.runtime = lxcName.FindStringSubmatch(part)[1], "lxc"
	case above == "lxc" || above == "lxc.payload":
		p.container, p.runtime = part, "lxc"
	case nspawn.MatchString(part):
		m := nspawn.FindStringSubmatch(part)
		p.container, p.runtime = m[1]+m[2], "systemd-nspawn"
	case strings.HasSuffix(part, ".service"):
		p.unit = part
	case strings.HasSuffix(part, ".scope") && part != "init.scope":
		p.unit = part
	}
}

func firstKnown(names ...string) string {
	for _, n := range names {
		if i := strings.IndexAny(n, "-."); i > 0 && runtimes[n] == "" {
			n = n[:i] // "kubepods-burstable-…"
		}
		if r := runtimes[n]; r != "" {
			return r
		}
	}
	return ""
}
