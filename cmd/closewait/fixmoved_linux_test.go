package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/remedy"
	"github.com/closewait/closewait/tcp"
)

// halves is a connection of this process's own that its other end has shut.
type halves struct{ ours, other *net.TCPConn }

// halfClosed leaves some bytes unread in ours.
func halfClosed(t *testing.T) halves {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	ours, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	other, err := l.Accept()
	must(t, err)
	t.Cleanup(func() { ours.Close(); other.Close() })
	h := halves{ours.(*net.TCPConn), other.(*net.TCPConn)}
	_, err = h.other.Write([]byte("hello"))
	must(t, err)
	must(t, h.other.CloseWrite())
	return h
}

func portOf(c *net.TCPConn) uint16 { return uint16(c.LocalAddr().(*net.TCPAddr).Port) }

// What moves between the plan and the act is in use, and no act touches it: in both
// states, with every degree.
func TestFixLeavesWhatMovesSinceThePlan(t *testing.T) {
	t.Parallel()
	privilege.Need(t, "SOCK_DESTROY")
	write := func(c *net.TCPConn) error { _, err := c.Write([]byte("x")); return err }
	read := func(c *net.TCPConn) error { _, err := c.Read(make([]byte, 1)); return err }
	type trial struct {
		name   string
		state  tcp.State
		degree remedy.Degree
		move   func(h halves) error
		halves
	}
	var all []*trial
	for _, d := range []remedy.Degree{remedy.KeepAlive, remedy.Shutdown, remedy.Destroy} {
		all = append(all,
			&trial{name: "it sends", state: tcp.CloseWait, degree: d, move: func(h halves) error { return write(h.ours) }},
			&trial{name: "it reads", state: tcp.CloseWait, degree: d, move: func(h halves) error { return read(h.ours) }})
		if d != remedy.Shutdown {
			all = append(all, &trial{name: "it receives", state: tcp.FinWait2, degree: d, move: func(h halves) error { return errors.Join(write(h.ours), read(h.other)) }})
		}
	}
	for _, x := range all {
		x.halves = halfClosed(t)
	}
	aged(t)
	prev, cur := twoLooks(t)
	for _, x := range all {
		t.Run(x.name+", "+string(x.degree), func(t *testing.T) {
			plan := planOfEnd(prev, cur, portOf(x.other), portOf(x.ours), x.state, x.degree)
			if plan.Acts() != 1 {
				t.Fatalf("%d acts are planned: %s", plan.Acts(), whys(plan))
			}
			must(t, x.move(x.halves))
			done := carryOut(t, plan, 0)
			r := done.Results[0]
			if r.Outcome != remedy.Refused || r.Kind != remedy.Changed || !strings.Contains(r.Why, "in use: data has moved") || r.Before == nil || r.Before.State != x.state {
				t.Errorf("%s %s %q", r.Outcome, r.Kind, r.Why)
			}
			// Both halves work as before.
			if err := write(x.ours); err != nil {
				t.Error(err)
			}
			must(t, x.other.SetReadDeadline(time.Now().Add(10*time.Second)))
			if n, err := x.other.Read(make([]byte, 8)); n == 0 || err != nil {
				t.Errorf("the other end reads %d, %v", n, err)
			}
		})
	}
}

// planOfEnd is for one end of one connection; to a look at one of two real hosts, the other
// one's end does not show.
func planOfEnd(prev, cur *observe.Snapshot, other, ours uint16, state tcp.State, d remedy.Degree) *remedy.Plan {
	alone := *cur
	alone.Sockets = slices.DeleteFunc(slices.Clone(cur.Sockets), func(s observe.Socket) bool {
		ends := [2]uint16{s.Local.Port(), s.Remote.Port()}
		return s.State != state || ends != [2]uint16{ours, other} && ends != [2]uint16{other, ours}
	})
	r := diagnose.Diagnose(prev, &alone, diagnose.Options{Grace: fixGrace, Sockets: true})
	return remedy.Make(prev, &alone, r, remedy.Options{Degree: d})
}

// The same by the command: what comes into use while it waits for its turn is left alone.
func TestFixLeavesWhatMovesWhileItActs(t *testing.T) {
	t.Parallel()
	first, second := halfClosed(t), halfClosed(t)
	aged(t)
	log := filepath.Join(t.TempDir(), "audit")
	ports := strconv.Itoa(int(portOf(first.ours))) + "," + strconv.Itoa(int(portOf(second.ours)))
	cmd := command(t, "fix", "--grace", fixGrace.String(), "--port", ports, "--state", "CLOSE_WAIT", "--degree", "shutdown", "--max-rate", "6/m", "--apply", "--sockets", "--audit", log)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Start())
	within(t, time.Minute, "the first act", func() bool {
		text, _ := os.ReadFile(log)
		return bytes.Count(text, []byte("\n")) == 2 // the run, and an act
	})
	if acted := auditLines(t, log, auditAct)[0]; strings.Contains(fmt.Sprint(acted["act"]), second.ours.LocalAddr().String()) {
		first, second = second, first
	}
	_, err := second.ours.Write([]byte("x"))
	must(t, err)
	if got := status(t, cmd.Wait()); got != exitStuck {
		t.Errorf("status %d: %s", got, out.String())
	}
	result{out: out.String()}.says(t, "1 has ended, 1 was refused", "in use: data has moved since it was looked at")
	if lines := auditLines(t, log, auditAct); len(lines) != 2 || lines[1]["outcome"] != string(remedy.Refused) || lines[1]["kind"] != string(remedy.Changed) {
		t.Errorf("the audit log says %v", lines)
	}
	for h, want := range map[halves]int{first: 0, second: 1} {
		if n, _ := h.other.Read(make([]byte, 8)); n != want {
			t.Errorf("the other end reads %d bytes, want %d", n, want)
		}
	}
}
