package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/testbed"
	"github.com/closewait/closewait/tcp"
)

// TestStrayNamespaces: no process lives in these namespaces, and no mount names
// them. Something else keeps them alive, and what is stuck in them is found.
func TestStrayNamespaces(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		make func(t *testing.T) (in *space, want func(reader string) []string)
	}{
		{"kept by a descriptor", keptByDescriptor},
		{"kept by a socket", keptBySocket},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			in, want := row.make(t)
			time.Sleep(settled)
			for _, reader := range readers() {
				t.Run(reader, func(t *testing.T) {
					s := look(t, reader)
					found := inSpace(s, in)
					findings(t, found, want(reader)...)
					for _, f := range found {
						if f.Owner != nil && f.Owner.PID != os.Getpid() {
							t.Errorf("%s has the owner %+v, want this process", f.Cause, f.Owner)
						}
					}
					checkEntered(t, s, in)
				})
			}
		})
	}
}

// checkEntered: it is listed once, and was looked into.
func checkEntered(t *testing.T, s *observe.Snapshot, in *space) {
	t.Helper()
	n := 0
	for _, ns := range s.Namespaces {
		if ns.ID != in.id {
			continue
		}
		n++
		if !ns.Entered || ns.PID != 0 || ns.Name != "" || ns.Own || ns.Sysctl.LocalPorts[1] == 0 {
			t.Errorf("the namespace is %+v", ns)
		}
	}
	if n != 1 {
		t.Errorf("the namespace is listed %d times", n)
	}
}

// keptByDescriptor holds a FIN_WAIT_2 mini-socket, which keeps nothing alive, and
// whose peer went without a word.
func keptByDescriptor(t *testing.T) (*space, func(string) []string) {
	in := newSpace(t)
	l := listen(t, in, "127.0.0.1", 8)
	service := l.local()
	c := l.dial(in, service)
	peer := l.accept()
	c.shutdown()
	c.await(uint8(tcp.FinWait2))
	c.close()
	peer.set(unix.IPPROTO_TCP, unix.TCP_REPAIR, 1) // its close sends nothing (tcp_close)
	peer.close()
	l.close()
	return in, func(string) []string { return []string{fmt.Sprintf("1 orphan-draining outbound * → %v", service)} }
}

// keptBySocket: the sockets of a process that lives elsewhere.
func keptBySocket(t *testing.T) (*space, func(string) []string) {
	in := newSpace(t)
	l := listen(t, in, "::1", 8)
	service := l.local()
	held, gone := l.dial(in, service), l.dial(in, service)
	l.accept().shutdown()
	held.await(uint8(tcp.CloseWait))
	lost := l.accept()
	lost.send(10)
	testbed.Await(t, "data to come", func() bool {
		n, err := unix.IoctlGetInt(gone.fd, unix.TIOCINQ)
		return err == nil && n == 10
	})
	lost.forget() // by a RST
	gone.await(uint8(tcp.Closed))
	left := l.dial(in, service)
	left.close() // never accepted
	in.release(t)
	return in, func(reader string) []string {
		dead := "*" // only BPF sees what it was connected to
		if reader == "bpf" {
			dead = service.String()
		}
		return []string{
			fmt.Sprintf("1 stuck eof-unread outbound * → %v", service),
			fmt.Sprintf("1 stuck peer-keeps-open inbound :%d → *", service.Port()),
			fmt.Sprintf("1 stuck never-accepted inbound :%d → *", service.Port()),
			fmt.Sprintf("1 orphan-draining outbound * → %v", service),
			"1 stuck masked outbound * → " + dead,
		}
	}
}
