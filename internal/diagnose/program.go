package diagnose

import (
	"path"
	"regexp"
	"sort"
	"strings"

	"github.com/closewait/closewait/internal/observe"
)

// program is one owner: all processes that run the same executable under the
// same title in one container, unit and network namespace, such as the workers
// of one web server.
type program struct {
	key   programKey
	procs []int32 // indexes in the snapshot's Processes, by start time
	place placement
}

type programKey struct {
	exe, title, container, pod, unit string
	netns                            uint64
}

// programs finds the owner of a set of descriptors.
type programs struct {
	all    []program
	procs  []observe.Process
	byPID  map[int32]int32 // index in procs
	member []int32         // index in all, by index in procs
}

func newPrograms(procs []observe.Process) programs {
	ps := programs{procs: procs, byPID: make(map[int32]int32, len(procs)), member: make([]int32, len(procs))}
	index := map[programKey]int32{}
	for i := range procs {
		p := &procs[i]
		ps.byPID[int32(p.PID)] = int32(i)
		where := place(p.Cgroups)
		key := programKey{
			exe: p.Exe, title: groupTitle(titleOf(p)), container: where.container, pod: where.pod, unit: where.unit, netns: p.NetNS,
		}
		if key.exe == "" { // not readable: the name is all there is
			key.exe = "comm:" + p.Comm
		}
		at, ok := index[key]
		if !ok {
			at = int32(len(ps.all))
			index[key] = at
			ps.all = append(ps.all, program{key: key, place: where})
		}
		ps.all[at].procs = append(ps.all[at].procs, int32(i))
		ps.member[i] = at
	}
	for i := range ps.all {
		members := ps.all[i].procs
		sort.Slice(members, func(a, b int) bool { return ps.older(members[a], members[b]) })
	}
	return ps
}

func (ps *programs) older(a, b int32) bool {
	x, y := &ps.procs[a], &ps.procs[b]
	if x.StartTicks != y.StartTicks {
		return x.StartTicks < y.StartTicks
	}
	return x.PID < y.PID
}

// ownerOf returns the program that holds a socket, -1 for none. Where several
// do, a child inherited the descriptor: the oldest holder is the owner.
func (ps *programs) ownerOf(holders []observe.Holder) int32 {
	best := int32(-1)
	for _, h := range holders {
		i, ok := ps.byPID[h.PID]
		if ok && (best < 0 || ps.older(i, best)) {
			best = i
		}
	}
	if best < 0 {
		return -1
	}
	return ps.member[best]
}

// index finds a program by its key.
func (ps *programs) index() map[programKey]int32 {
	out := make(map[programKey]int32, len(ps.all))
	for i := range ps.all {
		out[ps.all[i].key] = int32(i)
	}
	return out
}

// owns reports whether the process belongs to program at.
func (ps *programs) owns(at int32, pid int32) bool {
	i, ok := ps.byPID[pid]
	return ok && ps.member[i] == at
}

// interpreters run a script that tells more than they do.
var interpreters = regexp.MustCompile(`^(python|node|ruby|perl|php|java|bash|sh|dash|lua|deno|bun|dotnet|beam|erl)[0-9.]*$`)

// titleOf is what a process calls itself. A program that rewrote its argument
// vector (nginx, gunicorn, mod_wsgi's "(wsgi:horizon)") says it there; for an
// interpreter it is the script.
func titleOf(p *observe.Process) string {
	if len(p.Cmdline) == 0 || p.Cmdline[0] == "" {
		return p.Comm
	}
	first := p.Cmdline[0]
	if strings.ContainsAny(first, " :(") && !strings.HasPrefix(first, "/") { // rewritten, not a path
		return strings.TrimSpace(first)
	}
	if strings.HasPrefix(first, "/proc/") && p.Exe != "" { // "/proc/self/exe": re-executed
		first = p.Exe
	}
	name := path.Base(strings.TrimPrefix(first, "-"))
	if interpreters.MatchString(name) {
		if script := scriptOf(p.Cmdline[1:]); script != "" {
			return name + " " + script
		}
	}
	return name
}

// scriptOf finds what an interpreter was told to run.
func scriptOf(args []string) string {
	for i, a := range args {
		switch {
		case a == "-m" || a == "-jar":
			if i+1 < len(args) {
				return a + " " + path.Base(args[i+1])
			}
		case a == "-c" || a == "-e":
			return a
		case a == "-cp" || a == "-classpath" || a == "--class-path":
			return scriptOf(args[min(i+2, len(args)):])
		case strings.HasPrefix(a, "-"):
		default:
			return path.Base(a)
		}
	}
	return ""
}

var numbers = regexp.MustCompile(`[0-9]+`)

// groupTitle drops what differs between workers of one program: numbers, as in
// "worker #3" or a peer's address in a database backend's title.
func groupTitle(title string) string { return numbers.ReplaceAllString(title, "#") }
