//go:build linux

package procfs

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A shell, its child and that one's child, as the kernel knows them.
func TestDescendantsAreFoundAtAnyDepth(t *testing.T) {
	cmd := exec.Command("sh", "-c", `sh -c 'echo $$; sleep 60 & echo $!; wait'; true`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	pids := []int{cmd.Process.Pid}
	for range 2 {
		if !lines.Scan() {
			t.Fatal("the shells said nothing")
		}
		pid, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	t.Cleanup(func() {
		for _, pid := range slices.Backward(pids) {
			if p, err := os.FindProcess(pid); err == nil {
				p.Kill()
			}
		}
		cmd.Wait()
	})
	for name, list := range map[string]func(int) ([]Kin, error){
		"by thread": FS{}.Descendants,
		"by parent": func(pid int) ([]Kin, error) {
			all, err := FS{}.families()
			var kin []Kin
			for todo := all[pid]; len(todo) > 0; todo = todo[1:] {
				k, _ := FS{}.Kin(todo[0])
				kin, todo = append(kin, k), append(todo, all[todo[0]]...)
			}
			return kin, err
		},
	} {
		all, err := list(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		for i, pid := range pids {
			at := slices.IndexFunc(all, func(k Kin) bool { return k.PID == pid })
			parent := os.Getpid()
			if i > 0 {
				parent = pids[i-1]
			}
			if at < 0 || all[at].PPID != parent || all[at].Ended {
				t.Errorf("%s: process %d below %d is not in %+v", name, pid, parent, all)
			}
		}
	}
}

func TestAProcessThatWaitsToBeReapedHasEnded(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	for {
		k, err := FS{}.Kin(pid)
		if err != nil {
			t.Fatal(err)
		}
		if k.Ended {
			break
		}
	}
	if !(FS{}).Exiting(pid) || (FS{}).Exiting(os.Getpid()) {
		t.Error("the dead is not exiting, or the living is")
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := (FS{}).Kin(pid); !errors.Is(err, ErrGone) {
		t.Errorf("after the reaping: %v", err)
	}
}

func FuzzChildren(f *testing.F) {
	f.Add([]byte("12 345 6"))
	f.Add([]byte("1 2 \n"))
	f.Add([]byte("-1 99999999999 x 7 "))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, pid := range parseChildren(text) {
			if pid <= 0 || !strings.Contains(string(text), strconv.Itoa(pid)+" ") && !strings.Contains(string(text), strconv.Itoa(pid)+"\n") && !strings.Contains(string(text), strconv.Itoa(pid)+"\t") {
				t.Errorf("%d is not in %q", pid, text)
			}
		}
	})
}
