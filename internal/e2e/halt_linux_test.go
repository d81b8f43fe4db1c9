package e2e

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
)

// TestFrozenOwner: nor can one that a control group's freezer holds.
func TestFrozenOwner(t *testing.T) {
	t.Parallel()
	in := ownSpace(t)
	for _, freezer := range testbed.Freezers(t) {
		x := one(t, in, misbehave.Spec{Kind: misbehave.EOFUnread, Count: 2})
		pid := x.PIDs()[0]
		want := fmt.Sprintf("pid %d is frozen", pid)
		sees := func() (said, found bool) {
			for _, f := range about(look(t, "auto"), x, in, 1) {
				if f.Owner == nil || f.Owner.PID != pid {
					continue
				}
				found = true
				for _, e := range f.Evidence {
					said = said || strings.HasPrefix(e.Fact, want)
				}
			}
			return said, found
		}
		freezer.Add(t, pid)
		if said, found := sees(); said || !found {
			t.Errorf("%s, while it runs: said to be frozen %v, found %v", freezer.Name, said, found)
		}
		freezer.Freeze(t)
		testbed.Await(t, "the finding to say that its owner is frozen", func() bool { said, found := sees(); return said && found })
		freezer.Release(t)
		testbed.Await(t, "the finding to say so no more", func() bool { said, found := sees(); return !said && found })
	}
}

// TestStoppedOwner: a program that does not run can't read, and the finding says
// so for as long as it holds.
func TestStoppedOwner(t *testing.T) {
	t.Parallel()
	in := ownSpace(t)
	for _, kind := range []misbehave.Kind{misbehave.EOFUnread, misbehave.NeverAccepted} {
		t.Run(string(kind), func(t *testing.T) {
			x := one(t, in, misbehave.Spec{Kind: kind, Count: 2})
			pid := x.PIDs()[0]
			want := fmt.Sprintf("pid %d is stopped (SIGSTOP or a like signal)", pid)
			sees := func(reader string) (said, found bool) {
				for _, f := range about(look(t, reader), x, in, 1) {
					if f.Owner == nil || f.Owner.PID != pid {
						continue
					}
					found = true
					for _, e := range f.Evidence {
						said = said || strings.HasPrefix(e.Fact, want)
					}
				}
				return said, found
			}
			t.Cleanup(func() { _ = unix.Kill(pid, unix.SIGCONT) }) // or it can't be told to end
			for _, reader := range readers() {
				if reader == "bpf" && !privilege.Held() {
					continue
				}
				if said, found := sees(reader); said || !found {
					t.Errorf("%s, while it runs: said to be stopped %v, found %v", reader, said, found)
				}
				if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
					t.Fatal(err)
				}
				testbed.Await(t, "the finding to say that its owner is stopped", func() bool {
					said, found := sees(reader)
					return said && found
				})
				if err := unix.Kill(pid, unix.SIGCONT); err != nil {
					t.Fatal(err)
				}
				testbed.Await(t, "the finding to say no more that its owner is stopped", func() bool {
					said, found := sees(reader)
					return !said && found
				})
			}
		})
	}
}
