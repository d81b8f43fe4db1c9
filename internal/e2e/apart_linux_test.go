package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
)

// apartConns is how many connections the part "apart" keeps.
const apartConns = 5

// keepApart is the part "apart": a thread with a table of descriptors of its own
// (unshare(CLONE_FILES)) has the connections; the process's table has none of
// them. It prints the port and the thread, and lasts until its standard input ends.
func keepApart() error {
	failed := make(chan error)
	go leakApart(failed)
	if err := <-failed; err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// leakApart keeps its thread for good: no other goroutine is to get its table.
func leakApart(failed chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		go leakApart(failed) // which can't get the main thread, too
		select {}
	}
	err := unix.Unshare(unix.CLONE_FILES)
	if err == nil {
		err = leakHere()
	}
	failed <- err
	select {}
}

func leakHere() error {
	l, err := listener()
	if err != nil {
		return err
	}
	at, err := unix.Getsockname(l)
	if err != nil {
		return err
	}
	for range apartConns {
		c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		if err := unix.Connect(c, at); err != nil {
			return err
		}
		far, _, err := unix.Accept(l)
		if err := errors.Join(err, unix.Close(far)); err != nil {
			return err
		}
	}
	fmt.Println(at.(*unix.SockaddrInet4).Port, unix.Gettid())
	return nil
}

// TestThreadWithATableOfItsOwn: what such a thread holds is its process's, and its
// table is the one that fills up.
func TestThreadWithATableOfItsOwn(t *testing.T) {
	t.Parallel()
	privilege.Need(t, "the owner of what a thread alone holds")
	c := testbed.Run(t, part(t, "apart"))
	words := strings.Fields(c.Line())
	port := words[0]
	table, err := os.ReadDir("/proc/" + words[1] + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(settled)
	for _, reader := range readers() {
		t.Run(reader, func(t *testing.T) {
			s := look(t, reader)
			found := diagnose.Diagnose(nil, s, diagnose.Options{Grace: grace, Sockets: true, Filter: diagnose.Filter{PIDs: []int{c.PID()}}}).Findings
			findings(t, found, fmt.Sprintf("%d stuck eof-unread outbound * → 127.0.0.1:%s", apartConns, port))
			if o := found[0].Owner; o == nil || o.PID != c.PID() || len(o.PIDs) != 1 || o.PIDs[0].Count != apartConns {
				t.Fatalf("the owner is %+v, want process %d", o, c.PID())
			}
			if p := find(s, c.PID()); p == nil || p.OpenFiles != len(table) {
				t.Errorf("the process is %+v, want %d open files", p, len(table))
			}
		})
	}
}
