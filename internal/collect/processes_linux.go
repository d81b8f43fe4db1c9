package collect

import (
	"context"
	"slices"
	"time"

	"github.com/closewait/closewait/internal/kernel/cgroup"
	"github.com/closewait/closewait/internal/kernel/procfs"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// settleOwners describes the processes that hold sockets, and looks a second
// time for the holders of sockets that have none: a descriptor may have been
// opened, closed or passed on, a process have ended or become another program,
// since it was seen. A holder that can not be proved is left out and counted,
// never guessed; a socket that has gone is dropped.
func (s *survey) settleOwners(ctx context.Context, r reader, host procfs.Host) error {
	held, ownerless := s.census()
	changed := s.describeHolders(host, held)
	if changed {
		_, ownerless = s.census()
	}
	again, err := s.confirmOwnerless(ctx, r, ownerless)
	if err != nil {
		return err
	}
	if again {
		held, _ = s.census()
		changed = s.describeHolders(host, held) || changed
	}
	if changed {
		s.countUnsettled()
	}
	if s.states[tcp.Closed] > 0 {
		s.keep(func(x *observe.Socket) bool { return x.State != tcp.Closed || len(x.Holders) > 0 })
	}
	return nil
}

// countUnsettled forgets the doubt about sockets that someone was found to hold
// after all.
func (s *survey) countUnsettled() {
	for i := range s.sockets {
		x := &s.sockets[i]
		x.Unsettled = x.Unsettled && len(x.Holders) == 0
		if x.Unsettled && x.State != tcp.Closed {
			s.limits.lost++
		}
	}
}

// describeHolders reads every process that holds a socket the report may name it
// for and was not read yet, and drops the holders that are not what they were. It
// reports whether it had to look for such.
func (s *survey) describeHolders(host procfs.Host, held map[int32]*sample) bool {
	suspicious := map[int32]bool{}
	freezers := cgroup.Open()
	defer freezers.Close()
	for pid, k := range held {
		if s.described[pid] {
			continue
		}
		p, err := s.fs.Process(int(pid))
		if err != nil { // gone, or never the same for long enough to be read
			suspicious[pid] = true
			continue
		}
		// It is one program, read whole. That it still holds what it was seen to
		// hold proves that it is the one, and not the next to get its pid.
		switch k.intact(s, pid) {
		case none:
			suspicious[pid] = true
			if !s.holdsAny(pid) {
				continue
			}
		case some:
			suspicious[pid] = true
		}
		s.described[pid] = true
		if len(p.Denied) > 0 {
			s.limits.undescribed = append(s.limits.undescribed, int(pid))
		}
		for _, tid := range s.apart[pid] { // the limit holds for each table
			p.OpenFiles = max(p.OpenFiles, s.fs.OpenFiles(tid))
		}
		described := convertProcess(&p, host)
		if described.Halt == "" && freezers.Hold(p.Cgroups) {
			described.Halt = observe.HaltFrozen
		}
		s.processes = append(s.processes, described)
	}
	if len(suspicious) > 0 {
		s.recheck(suspicious)
	}
	return len(suspicious) > 0
}

// holdsAny tries all of a process's descriptors: a busy one may have closed those
// of the sample.
func (s *survey) holdsAny(pid int32) bool {
	for i := range s.sockets {
		for _, h := range s.sockets[i].Holders {
			if h.PID == pid && s.holds(pid, h.FD, s.sockets[i].Inode) {
				return true
			}
		}
	}
	return false
}

// holds reports whether a process holds a socket, in its table of descriptors or in
// that of a thread which has its own. Few have such threads, so they are looked for
// only where the process's table lacks something, and once.
func (s *survey) holds(pid, fd int32, inode uint64) bool {
	if s.fs.Holds(int(pid), int(fd), procfs.Socket, inode) {
		return true
	}
	apart, ok := s.apart[pid]
	if !ok {
		apart = s.fs.Apart(int(pid))
		s.apart[pid] = apart
	}
	return slices.ContainsFunc(apart, func(tid int) bool { return s.fs.Holds(tid, int(fd), procfs.Socket, inode) })
}

// sample is a few of the descriptors that a process was seen to hold: checking
// all of a hundred thousand would take longer than the whole look.
type sample struct {
	held [8]struct {
		fd    int32
		inode uint64
	}
	n int
}

func (k *sample) add(fd int32, inode uint64) {
	// The first eight, then ever rarer ones: spread over all of them.
	if k.n < len(k.held) || k.n&(k.n-1) == 0 {
		at := &k.held[k.n%len(k.held)]
		if k.n >= len(k.held) {
			at = &k.held[len(k.held)-1]
		}
		at.fd, at.inode = fd, inode
	}
	k.n++
}

// portion is how much of a sample is as it was.
type portion uint8

const (
	none portion = iota
	some
	whole
)

func (k *sample) intact(s *survey, pid int32) portion {
	n, ok := min(k.n, len(k.held)), 0
	for _, h := range k.held[:n] {
		if s.holds(pid, h.fd, h.inode) {
			ok++
		}
	}
	switch ok {
	case 0:
		return none
	case n:
		return whole
	}
	return some
}

// census lists the holders of half-closed and dead sockets, and of listeners
// with a queue, who may have to answer for never-accepted ones; and the inodes of
// the half-closed sockets that have a file and no holder.
func (s *survey) census() (held map[int32]*sample, ownerless map[uint64]bool) {
	held, ownerless = map[int32]*sample{}, map[uint64]bool{}
	last, k := int32(0), (*sample)(nil) // descriptors of one process come in runs
	for i := range s.sockets {
		x := &s.sockets[i]
		if x.State == tcp.Established || x.State == tcp.Listen && x.RecvQ == 0 {
			continue
		}
		if len(x.Holders) == 0 && x.Inode != 0 && x.State.HalfClosed() {
			ownerless[x.Inode] = true
		}
		for _, h := range x.Holders {
			if h.PID != last {
				if last, k = h.PID, held[h.PID]; k == nil {
					k = &sample{}
					held[h.PID] = k
				}
			}
			k.add(h.FD, x.Inode)
		}
	}
	return held, ownerless
}

// recheck looks at each descriptor of some processes and drops those that are
// not what they were. A process that was not described keeps none.
func (s *survey) recheck(pids map[int32]bool) {
	for i := range s.sockets {
		x := &s.sockets[i]
		kept := x.Holders[:0]
		for _, h := range x.Holders {
			if !pids[h.PID] || s.described[h.PID] && s.holds(h.PID, h.FD, x.Inode) {
				kept = append(kept, h)
			}
		}
		if len(kept) == 0 && len(x.Holders) > 0 && x.State != tcp.Established && x.State != tcp.Listen {
			x.Unsettled = true
		}
		x.Holders = kept
	}
}

func convertProcess(p *procfs.Process, host procfs.Host) observe.Process {
	return observe.Process{
		PID: p.PID, NSPIDs: p.NSPIDs, PPID: p.PPID, Comm: p.Comm, Exe: p.Exe, Cmdline: p.Cmdline, UID: p.UID,
		StartedAt: host.StartedAt(p.StartTicks).Round(10 * time.Millisecond), StartTicks: p.StartTicks, Threads: p.Threads, Halt: halts[p.State],
		Cgroups: p.Cgroups, NetNS: p.NetNS, OpenFiles: p.OpenFiles, NoFileSoft: p.NoFileSoft, NoFileHard: p.NoFileHard,
	}
}

// halts are the states of proc_pid_stat(5) in which a process does not run by
// somebody's will.
var halts = map[byte]observe.Halt{'T': observe.HaltStopped, 't': observe.HaltTraced}
