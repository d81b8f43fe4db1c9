//go:build linux

package sensor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/privilege"
)

func follow(t *testing.T) *Family {
	t.Helper()
	privilege.Need(t, "which processes descend from one")
	f, err := Follow(os.Getpid())
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	return f
}

// A child and a grandchild are of the family from their fork on, also when they have
// been reaped; who was not forked by it is not, nor is the root.
func TestAFamilyKnowsWhoWasReaped(t *testing.T) {
	f := follow(t)
	before := sinceBoot()
	out, err := exec.Command("sh", "-c", "echo $$; sh -c 'echo $$'; true").Output()
	must(t, err)
	var child, grandchild int
	if _, err := fmt.Sscan(string(out), &child, &grandchild); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	for _, pid := range []int{child, grandchild} {
		if !f.Has(pid, sinceBoot()) || f.Has(pid, before) {
			t.Errorf("process %d: now %v, before it began %v", pid, f.Has(pid, sinceBoot()), f.Has(pid, before))
		}
	}
	for _, pid := range []int{0, -1, 1, os.Getpid(), os.Getppid()} {
		if f.Has(pid, sinceBoot()) {
			t.Errorf("process %d is of the family", pid)
		}
	}
	if n, err := f.Missed(); n != 0 || err != nil {
		t.Errorf("missed %d, %v", n, err)
	}
}

// A number that another process has taken over is that one's from then on.
func TestAFamilyDoesNotKeepANumberForEver(t *testing.T) {
	f := follow(t)
	stranger, err := Follow(os.Getpid()) // follows nobody else: a map to compare with
	must(t, err)
	defer stranger.Close()
	must(t, stranger.members().Delete(uint32(os.Getpid())))
	now := uint64(sinceBoot())
	next, err := exec.Command("sh", "-c", "echo $$").Output()
	must(t, err)
	var pid int
	if _, err := fmt.Sscan(string(next), &pid); err != nil {
		t.Fatal(err)
	}
	// As if the stranger had had the coming numbers before, and we were not of its family.
	for n := pid + 1; n < pid+2000; n++ {
		must(t, stranger.members().Put(uint32(n), familyMember{From: now}))
	}
	again, err := exec.Command("sh", "-c", "echo $$").Output()
	must(t, err)
	if _, err := fmt.Sscan(string(again), &pid); err != nil {
		t.Fatal(err)
	}
	if !stranger.Has(pid, time.Duration(now)) || stranger.Has(pid, sinceBoot()) {
		t.Errorf("process %d is still a member, though another has its number", pid)
	}
	if !f.Has(pid, sinceBoot()) {
		t.Errorf("process %d is no member", pid)
	}
}

// Who catches up has been told all that happened before.
func TestWhoCatchesUpHasBeenToldEverything(t *testing.T) {
	s := start(t)
	asked := make(chan chan<- struct{})
	h := hear(t, s, EventOptions{Kinds: []Kind{KindEnded}, CatchUp: asked})
	for range 200 {
		ours, peer := pair(t)
		id := cookie(t, ours)
		finish(t, ours, peer, false)
		must(t, ours.Close())
		told := make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		select {
		case asked <- told:
			<-told
		case <-ctx.Done():
			t.Fatal("nobody answers")
		}
		cancel()
		if len(h.find(of(id))) != 1 {
			t.Fatal("the end was not told")
		}
	}
}
