package e2e

import (
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
)

// Clients that send and then reset leave every list, and their places in the accept
// queue taken: the listener answers nobody, and no half-closed connection shows why.
func TestAQueueFullOfTheDeadIsTold(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "::1"} {
		t.Run(ip, func(t *testing.T) {
			const backlog = 3
			s := ownSpace(t)
			l := listen(t, s, ip, backlog)
			for range backlog + 1 {
				c := l.dial(s, l.local())
				c.send(5)
				c.forget() // by a RST
			}
			for _, reader := range readers() {
				t.Run(reader, func(t *testing.T) {
					if reader == "bpf" {
						privilege.Need(t, "the bpf reader")
					}
					first := look(t, reader)
					for _, prev := range []*observe.Snapshot{nil, first} {
						r := diagnose.Diagnose(prev, look(t, reader), diagnose.Options{Grace: grace, Filter: diagnose.Filter{Ports: []uint16{l.local().Port()}}})
						if len(r.Findings) > 0 {
							t.Errorf("something is half-closed: %+v", r.Findings)
						}
						if q := r.FullQueues; len(q) != 1 || q[0].Waiting != backlog+1 || q[0].Backlog != backlog || !slices.Contains(q[0].PIDs, os.Getpid()) {
							t.Errorf("%+v", q)
						}
					}
				})
			}
			if fd, _, err := unix.Accept4(l.fd, unix.SOCK_CLOEXEC); err != nil {
				t.Errorf("the dead are accepted all the same: %v", err)
			} else {
				_ = unix.Close(fd)
			}
			if q := diagnose.Diagnose(nil, look(t, "procfs"), diagnose.Options{}).FullQueues; slices.ContainsFunc(q, func(q diagnose.FullQueue) bool { return q.Local == l.local().String() }) {
				t.Errorf("one was accepted, and it is full still: %+v", q)
			}
		})
	}
}
