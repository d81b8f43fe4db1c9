package collect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/closewait/closewait/internal/kernel/bpfiter"
	"github.com/closewait/closewait/internal/kernel/netns"
	"github.com/closewait/closewait/internal/kernel/procfs"
	"github.com/closewait/closewait/internal/observe"
)

// space is one network namespace during a look.
type space struct {
	seen  observe.Namespace
	where *netns.Namespace // nil for one that only a descriptor keeps
	file  *os.File         // open while needed; nil for the own one
	// held sums up the half-closed sockets that have a file, whoever holds it; nil
	// where nobody looked.
	held *bpfiter.Tally
}

// list takes over the namespaces that were found in /proc and among the mounts.
func (s *survey) list(l netns.Listing) {
	for i := range l.Namespaces {
		n := &l.Namespaces[i]
		sp := &space{where: n, seen: observe.Namespace{ID: n.ID, Name: n.Name, Own: n.Own}}
		if len(n.PIDs) > 0 {
			sp.seen.PID = n.PIDs[0]
		}
		s.spaces = append(s.spaces, sp)
		s.spaceOf[n.ID] = sp
	}
	if l.Hidden > 0 {
		s.limits.add(observe.LimitNetNS, 0, fmt.Sprintf(
			"%d of %d processes did not show their network namespace: sockets in a namespace that only they live in are not listed; %s", l.Hidden, l.Processes, wayIn()))
	}
	for _, err := range l.Errors {
		s.limits.add(observe.LimitNetNS, 0, err.Error())
	}
}

// homeOf is the namespace that a process lives in, 0 if it did not show it.
func (s *survey) homeOf(pid int) uint64 {
	for _, sp := range s.spaces {
		if sp.where == nil {
			continue
		}
		if _, ok := slices.BinarySearch(sp.where.PIDs, pid); ok {
			return sp.seen.ID
		}
	}
	return 0
}

// discover adds a namespace that only a descriptor keeps alive.
func (s *survey) discover(id uint64, file *os.File) *space {
	sp := &space{file: file, seen: observe.Namespace{ID: id}}
	s.spaces = append(s.spaces, sp)
	s.spaceOf[id] = sp
	return sp
}

// enter runs fn inside a namespace. One that can't be entered becomes a limit;
// fn's own error is returned.
func (s *survey) enter(sp *space, fn func() error) error {
	if !sp.seen.Own && sp.file == nil {
		f, err := sp.where.Open()
		if err != nil {
			s.cannotEnter(sp, err)
			return nil
		}
		sp.file = f
	}
	entered := false
	err := netns.Do(sp.file, func() error {
		entered = true
		return fn()
	})
	if err != nil && !entered {
		s.cannotEnter(sp, err)
		return nil
	}
	return err
}

func (s *survey) cannotEnter(sp *space, err error) {
	if errors.Is(err, netns.ErrGone) {
		return // it ended meanwhile, with all its sockets
	}
	way := ""
	if errors.Is(err, fs.ErrPermission) {
		way = "; run as root (CAP_SYS_ADMIN)"
	}
	s.limits.add(observe.LimitNetNS, sp.seen.ID, fmt.Sprintf("network namespace %s could not be entered: %v%s", sp.label(), err, way))
}

func (sp *space) label() string {
	if sp.seen.Name != "" {
		return sp.seen.Name
	}
	if sp.seen.PID != 0 {
		return fmt.Sprintf("%d (of process %d)", sp.seen.ID, sp.seen.PID)
	}
	return fmt.Sprint(sp.seen.ID)
}

// measure reads what belongs to the namespace itself. It runs inside it.
func (s *survey) measure(sp *space) {
	sys, err := s.fs.Sysctls()
	if err != nil {
		s.limits.add(observe.LimitNetNS, sp.seen.ID, fmt.Sprintf("the TCP settings of network namespace %s could not be read, the kernel's defaults are assumed: %v", sp.label(), err))
	}
	sp.seen.Sysctl = convertSysctls(sys)
	count, err := s.fs.Counters()
	if err != nil {
		s.limits.add(observe.LimitNetNS, sp.seen.ID, fmt.Sprintf("the TCP sockets of network namespace %s could not be counted: %v", sp.label(), err))
	}
	sp.seen.TCP = observe.Counter{InUse: count.InUse, Orphan: count.Orphan, TimeWait: count.TimeWait}
	sp.seen.Entered = true
}

func convertSysctls(s procfs.Sysctls) observe.Sysctl {
	seconds := func(n uint64) observe.Millis { return observe.Millis(min(n, 1<<21) * 1000) }
	number := func(n uint64) int { return int(min(n, 1<<31-1)) }
	return observe.Sysctl{
		FinTimeout: seconds(s.FinTimeout), KeepaliveTime: seconds(s.KeepaliveTime),
		KeepaliveIntvl: seconds(s.KeepaliveIntvl), KeepaliveProbes: number(s.KeepaliveProbes),
		Retries2: number(s.Retries2), OrphanRetries: number(s.OrphanRetries),
		RTOMin: observe.Millis(min(s.RTOMinUS, uint64(time.Hour/time.Microsecond)) / 1000), RTOMax: observe.Millis(min(s.RTOMaxMS, 1<<31)),
		MaxTWBuckets: number(s.MaxTWBuckets), LocalPorts: [2]int{int(s.LocalPorts[0]), int(s.LocalPorts[1])},
	}
}

func (s *survey) closeSpaces() {
	for _, sp := range s.spaces {
		if sp.file != nil {
			_ = sp.file.Close()
		}
	}
}
