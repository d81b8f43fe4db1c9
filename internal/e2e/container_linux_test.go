package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/container"
	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/misbehave"
)

// leaks are the programs that run in the container.
var leaks = []misbehave.Spec{
	{Kind: misbehave.EOFUnread, Count: 7, Title: "(leak:pool)"},
	{Kind: misbehave.NeverAcceptedData, Count: 4, IPv6: true, Title: "(leak:server)"},
	{Kind: misbehave.MaskedWrite, Count: 3, Title: "(leak:masked)"},
}

// leakInside is the part that runs in the container: it leaks until killed. What
// it prints is a line for each program, with the pids as the container has them.
func leakInside() error {
	for _, spec := range leaks {
		p, err := misbehave.Start(context.Background(), spec)
		if err != nil {
			return err
		}
		line, err := json.Marshal(leak{PIDs: p.PIDs(), Service: p.Service().String(), Record: p.Culprits()})
		if err != nil {
			return err
		}
		fmt.Printf("leak %s\n", line)
	}
	fmt.Println("ready")
	time.Sleep(10 * time.Minute)
	return nil
}

// leak is what one of the programs in the container says of itself.
type leak struct {
	PIDs    []int
	Service string
	Record  []misbehave.Conn
}

// TestContainer: leaks inside a real container are found from outside, with the
// container's id, its network namespace, and both ids of the process.
func TestContainer(t *testing.T) {
	t.Parallel()
	c := container.Start(t, container.Spec{Program: container.Self(t), Env: []string{partVariable + "=leak"}})
	c.WaitOutput(t, "ready")
	ready := time.Now()
	inside := leaksOf(t, c.Output())
	ns := &space{id: inode(t, c.NetNS())}
	time.Sleep(time.Until(ready.Add(settled)))
	for _, reader := range readers() {
		t.Run(reader, func(t *testing.T) {
			s := look(t, reader)
			for _, cause := range []diagnose.Cause{diagnose.EOFUnread, diagnose.NeverAccepted, diagnose.Masked} {
				n := slices.IndexFunc(inside, func(l leak) bool { return l.Record[0].Cause == string(cause) })
				found := diagnose.Diagnose(nil, s, diagnose.Options{Grace: grace, Sockets: true,
					Filter: diagnose.Filter{Containers: []string{c.ID[:12]}, Causes: []diagnose.Cause{cause}}}).Findings
				if len(found) != 1 {
					t.Errorf("%s: %d findings in container %s, want one", cause, len(found), c.ID[:12])
					continue
				}
				checkLeak(t, c, ns, &found[0], inside[n])
			}
			if t.Failed() {
				t.Logf("%d findings in its namespace; the container says:\n%s", len(inSpace(s, ns)), c.Output())
			}
		})
	}
}

func checkLeak(t *testing.T, c *container.Container, ns *space, f *diagnose.Finding, l leak) {
	t.Helper()
	checkForm(t, f)
	o := f.Owner
	if o == nil {
		t.Fatalf("%s has no owner", f.Cause)
	}
	if !f.Stuck || f.Count != len(l.Record) || f.NetNS.ID != ns.id || o.NetNS != ns.id {
		t.Errorf("%s: %d sockets, stuck %v, in namespace %d, of an owner in %d: want %d in %d", f.Cause, f.Count, f.Stuck, f.NetNS.ID, o.NetNS, len(l.Record), ns.id)
	}
	if o.Container != c.ID || o.Runtime != "docker" || o.Exe != "/bin/program" {
		t.Errorf("%s: container %q of %q, executable %q: want %q of docker, /bin/program", f.Cause, o.Container, o.Runtime, o.Exe, c.ID)
	}
	if len(o.PIDs) != 1 || o.PIDs[0].NSPID != l.PIDs[0] || o.PIDs[0].Count != f.Count {
		t.Fatalf("%s: processes %+v, want %d inside", f.Cause, o.PIDs, l.PIDs[0])
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.PID))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("NSpid:\t%d\t%d\n", o.PID, l.PIDs[0]); !strings.Contains(string(status), want) {
		t.Errorf("%s: process %d is not %d inside:\n%s", f.Cause, o.PID, l.PIDs[0], status)
	}
	for _, r := range l.Record {
		if found, _ := listing([]diagnose.Finding{*f}, &r); found == nil {
			t.Errorf("%s: %v → %v is not listed", f.Cause, r.Local, r.Remote)
		}
	}
}

func leaksOf(t *testing.T, output string) []leak {
	t.Helper()
	var all []leak
	for line := range strings.Lines(output) {
		text, ok := strings.CutPrefix(line, "leak ")
		if !ok {
			continue
		}
		var l leak
		if err := json.Unmarshal([]byte(text), &l); err != nil || len(l.Record) == 0 {
			t.Fatalf("%q: %v", text, err)
		}
		all = append(all, l)
	}
	if len(all) != len(leaks) {
		t.Fatalf("%d leaks in the container, want %d:\n%s", len(all), len(leaks), output)
	}
	return all
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	link, err := os.Readlink(path)
	if err != nil {
		t.Fatal(err)
	}
	var id uint64
	if _, err := fmt.Sscanf(link, "net:[%d]", &id); err != nil {
		t.Fatalf("%s is %q: %v", path, link, err)
	}
	return id
}
