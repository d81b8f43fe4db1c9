package procfs

import (
	"errors"
	"strconv"
)

// Kin is a process as a member of a family.
type Kin struct {
	PID, PPID int
	// StartTicks names the process for good, together with PID.
	StartTicks uint64
	// Ended is set for one that only waits to be reaped.
	Ended bool
}

// childrenSize bounds what is read of one thread's children at a time.
const childrenSize = 64 << 10

// errNoChildren: a kernel without CONFIG_PROC_CHILDREN.
var errNoChildren = errors.New("the kernel does not list a thread's children")

// Kin reads one process. The error is ErrGone once it has been reaped.
func (f FS) Kin(pid int) (Kin, error) {
	dir, err := f.process(pid)
	if err != nil {
		return Kin{}, processError(pid, "stat", err)
	}
	defer dir.close()
	var buf [statSize]byte
	s, err := dir.stat(buf[:])
	if err != nil {
		return Kin{}, processError(pid, "stat", err)
	}
	return Kin{PID: pid, PPID: s.ppid, StartTicks: s.start, Ended: s.gone()}, nil
}

// Exiting reports whether every thread of a process is ending or has ended: what
// it held is closed, or about to be. A process that is gone is, too.
func (f FS) Exiting(pid int) bool {
	dir, err := f.process(pid)
	if err != nil {
		return vanished(err)
	}
	defer dir.close()
	tasks, err := dir.sub("task")
	if err != nil {
		return vanished(err)
	}
	defer tasks.close()
	var buf [statSize]byte
	list := entries{dir: tasks}
	for name, _ := list.nextNumber(); name != nil; name, _ = list.nextNumber() {
		text, err := tasks.read(string(name[:len(name)-1])+"/stat", buf[:])
		if err != nil {
			continue // that thread is gone
		}
		if s, err := parseStat(text); err != nil || !s.exiting() {
			return false
		}
	}
	return list.err == nil || vanished(list.err)
}

// Descendants lists the processes below pid, each after its parent, pid not
// among them. Processes that begin, end or are handed to another parent
// meanwhile may be missed (fs/proc/array.c, get_children_proc): ask again, and
// ask Kin about one that was there before.
func (f FS) Descendants(pid int) ([]Kin, error) {
	children := f.children
	if _, err := f.children(pid); errors.Is(err, errNoChildren) {
		all, err := f.families()
		if err != nil {
			return nil, err
		}
		children = func(pid int) ([]int, error) { return all[pid], nil }
	}
	var found []Kin
	seen := map[int]bool{pid: true}
	for todo := []int{pid}; len(todo) > 0; todo = todo[1:] {
		below, err := children(todo[0])
		if err != nil && !errors.Is(err, ErrGone) {
			return nil, err
		}
		for _, child := range below {
			if seen[child] {
				continue
			}
			seen[child] = true
			kin, err := f.Kin(child)
			if err != nil { // reaped meanwhile
				continue
			}
			found = append(found, kin)
			todo = append(todo, child)
		}
	}
	return found, nil
}

// families reads the parent of every process.
func (f FS) families() (map[int][]int, error) {
	pids, err := f.PIDs()
	if err != nil {
		return nil, err
	}
	below := map[int][]int{}
	for _, pid := range pids {
		if kin, err := f.Kin(pid); err == nil {
			below[kin.PPID] = append(below[kin.PPID], pid)
		}
	}
	return below, nil
}

// children lists the children of a process: each of its threads has its own.
func (f FS) children(pid int) ([]int, error) {
	dir, err := f.process(pid)
	if err != nil {
		return nil, processError(pid, "task", err)
	}
	defer dir.close()
	tasks, err := dir.sub("task")
	if err != nil {
		return nil, processError(pid, "task", err)
	}
	defer tasks.close()
	var found []int
	var buf []byte
	list := entries{dir: tasks}
	for name, tid := list.nextNumber(); name != nil; name, tid = list.nextNumber() {
		if buf == nil {
			buf = make([]byte, childrenSize)
		}
		file := strconv.FormatUint(tid, 10)
		text, err := tasks.read(file+"/children", buf)
		switch {
		case err == nil:
			found = append(found, parseChildren(text)...)
		case vanished(err) && tasks.has(file+"/stat"):
			return nil, processError(pid, "children", errNoChildren)
		case !vanished(err):
			return nil, processError(pid, "children", err)
		}
	}
	return found, nil
}

// has reports whether a file can be read.
func (d folder) has(name string) bool {
	var buf [1]byte
	_, err := d.read(name, buf[:])
	return err == nil
}

// parseChildren reads the ids of /proc/PID/task/TID/children. One that is cut
// off at the end, for want of a blank behind it, is dropped.
func parseChildren(text []byte) []int {
	var pids []int
	for len(text) > 0 && text[len(text)-1] != ' ' && text[len(text)-1] != '\n' {
		text = text[:len(text)-1]
	}
	for {
		var word []byte
		if word, text = nextWord(text); len(word) == 0 {
			return pids
		}
		if v, ok := number(word); ok && v > 0 && v <= maxPID {
			pids = append(pids, int(v))
		}
	}
}
