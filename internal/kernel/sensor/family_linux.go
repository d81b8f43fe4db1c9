package sensor

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Family knows which processes descend from one, also of those that have been
// reaped since. Its methods may run at the same time; Close may not.
type Family struct {
	root       int
	collection *ebpf.Collection
	link       link.Link
}

// Follow begins to follow what the process root forks from now on; its threads' forks
// are its own. It ends with Close, or with this process. Process numbers are those of
// the initial PID namespace, as in an Event. The error is an *UnavailableError where
// the host can not.
func Follow(root int) (*Family, error) {
	if !initialPIDs() {
		return nil, &UnavailableError{Lack: LackPrivilege, Err: errOtherPIDs}
	}
	spec, err := loadFamily()
	if err != nil {
		return nil, err
	}
	c, err := ebpf.NewCollection(spec)
	if err != nil {
		return nil, unavailable(err)
	}
	f := &Family{root: root, collection: c}
	first := familyMember{From: clock(unix.CLOCK_BOOTTIME) * 1000}
	if err := f.members().Put(uint32(root), first); err != nil {
		return nil, errors.Join(fmt.Errorf("follow process %d: %w", root, err), f.Close())
	}
	f.link, err = link.AttachTracing(link.TracingOptions{Program: c.Programs[familyProgForked]})
	if err != nil {
		return nil, errors.Join(unavailable(err), f.Close())
	}
	return f, nil
}

// errOtherPIDs: what the kernel's programs call a process is not what it is called here.
var errOtherPIDs = errors.New("this is not the host's PID namespace")

// initialPIDs reports whether process numbers are the host's: its namespace has a fixed
// inode (include/uapi/linux/nsfs.h, PID_NS_INIT_INO).
func initialPIDs() bool {
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/pid", &st) == nil && st.Ino == 0xEFFFFFFC
}

func (f *Family) members() *ebpf.Map { return f.collection.Maps[familyMapMembers] }

// Has reports whether the process that had a number at a moment (since boot, as
// Event.Time) is of the family. The root is not.
func (f *Family) Has(pid int, at time.Duration) bool {
	var m familyMember
	if pid <= 0 || pid == f.root || f.members().Lookup(uint32(pid), &m) != nil {
		return false
	}
	return m.From <= uint64(at) && (m.Until == 0 || uint64(at) < m.Until)
}

// Missed is how many members it has no room for, or could not note: as in Status, a
// call is skipped where the program is running on that processor already.
func (f *Family) Missed() (n uint64, err error) {
	if err := f.collection.Maps[familyMapMissed].Lookup(uint32(0), &n); err != nil {
		return 0, err
	}
	stats, err := f.collection.Programs[familyProgForked].Stats()
	if err != nil {
		return 0, err
	}
	return n + stats.RecursionMisses, nil
}

// Close ends it.
func (f *Family) Close() (err error) {
	if f.link != nil {
		err = f.link.Close()
	}
	f.collection.Close()
	return err
}
