package gate_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/kernel/sensor"
	"github.com/closewait/closewait/internal/privilege"
)

// sensorFlags skip where no sensor can be loaded.
func sensorFlags(t *testing.T) []string {
	t.Helper()
	privilege.Need(t, "what the sensor sees of a program's run")
	return []string{"--witness", "sensor"}
}

// The kernel tells of each connection whether its process closed it, or only ended:
// no matter how short the life, how busy the machine, whose child, and untraced.
func TestSensorSeesWhatOnlyTheExitClosed(t *testing.T) {
	flags, address := sensorFlags(t), closing(t)
	short := act("leak", address, 20, 60*time.Millisecond)
	for range *often {
		for name, args := range map[string][]string{
			"itself":     short,
			"a child":    act("spawn", address, 0, 0, short...),
			"an orphan":  {"sh", "-c", "setsid sh -c '" + strings.Join(short, " ") + " &' ; sleep 0.6"},
			"many forks": {"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do " + strings.Join(act("leak", address, 2, 60*time.Millisecond), " ") + " & done; wait"},
		} {
			if o := run(t, flags, args...).leaks(t, 20, diagnose.EOFUnread); o.Counts.Inferred != 0 || o.Counts.Died != 20 {
				t.Errorf("%s: counts %+v, want 20 seen to die", name, o.Counts)
			}
		}
		run(t, flags, act("late", address, 3, 80*time.Millisecond)...).passes(t)
		run(t, flags, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true | cat; done").passes(t)
	}
}

// The report names the code, also that of a program that has ended.
func TestSensorNamesTheCodeOfTheProgram(t *testing.T) {
	o := looked(t, sensorFlags(t), hold, leaking("leak", closing(t), 3)).leaks(t, 3, diagnose.EOFUnread)
	for _, f := range o.Report.Findings {
		if len(f.OpenedBy) == 0 || f.Confidence != diagnose.Certain {
			t.Errorf("%s, opened by %+v", f.Confidence, f.OpenedBy)
		}
	}
	if !strings.Contains(o.err, "opened by") || !strings.Contains(o.err, "watched by sensor") {
		t.Errorf("it says:\n%s", o.err)
	}
}

// Every way to be half-closed has its history: none is called older than the sensor
// that is not.
func TestSensorRemembersEveryState(t *testing.T) {
	over := make(chan struct{})
	silent := server(t, func(c *net.TCPConn) {
		_, _ = io.Copy(io.Discard, c)
		<-over // it outlives the program
	})
	t.Cleanup(func() { close(over) })
	rude := resetting(t, false)
	flags := append(sensorFlags(t), "--grace", "300ms")
	for _, c := range []struct {
		program func(time.Duration) []string
		cause   diagnose.Cause
		address string
		sure    diagnose.Confidence
	}{
		{leaking("shut", silent, 3), diagnose.PeerKeepsOpen, silent, diagnose.Likely}, // the server may work on its answer
		{leaking("leak", rude, 3, "reset"), diagnose.Masked, rude, diagnose.Certain},
		{leaking("leak", closing(t), 3), diagnose.EOFUnread, "", diagnose.Certain},
	} {
		o := looked(t, flags, 1200*time.Millisecond, c.program).leaks(t, 3, c.cause)
		said := strings.Join(strings.Fields(o.err), " ")
		if !strings.Contains(said, "since when is exact on all 3") || strings.Contains(said, "older than the sensor") ||
			!strings.Contains(said, "opened by") || !strings.Contains(said, c.address) {
			t.Errorf("%s: it says\n%s", c.cause, o.err)
		}
		for _, f := range o.Report.Findings {
			if f.Confidence != c.sure || f.Oldest.AtLeastS < 0.3 {
				t.Errorf("%s is %s, for %v s", c.cause, f.Confidence, f.Oldest.AtLeastS)
			}
		}
	}
}

// Whoever stops the sensor does not stop the runs that watch with it: nothing is
// inferred from then on, and nothing is missed.
func TestSensorIsHeldWhenItIsStopped(t *testing.T) {
	flags, address := sensorFlags(t), closing(t)
	late, leak := strings.Join(act("late", address, 3, 80*time.Millisecond), " "), strings.Join(act("leak", address, 4, 500*time.Millisecond), " ")
	for name, then := range map[string]string{"fixed": late, "leaking": late + "; " + leak} {
		dir := fmt.Sprintf("/sys/fs/bpf/closewait-test-%d-gate-%s", os.Getpid(), name)
		if err := sensor.Start(dir); err != nil {
			privilege.Refused(t, "a pinned sensor", err)
		}
		t.Cleanup(func() { _ = sensor.Stop(dir) })
		cmd, o := watched(t, append(flags, "-pin", dir), "sh", "-c", "echo begun; read line; for i in 1 2 3 4 5; do "+late+"; done; "+then)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		cmd.Stderr = &text
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if err := sensor.Stop(dir); err != nil {
			t.Error(err)
		}
		fmt.Fprintln(in)
		err = cmd.Wait()
		o.err = text.String()
		if o.read(t, err); name == "fixed" {
			o.passes(t)
		} else if o.leaks(t, 4, diagnose.EOFUnread); o.Counts.Inferred > 0 {
			t.Errorf("%s: counts %+v, want 4 seen to die", name, o.Counts)
		}
		if o.Witness.Exact == o.skipped() || o.Witness.SensorStoppedAt == nil || !strings.Contains(o.err, "somebody stopped the sensor at ") {
			t.Errorf("%s: witness %+v, and it says:\n%s", name, o.Witness, o.err)
		}
	}
}

// What is stuck longer than the grace period counts as without the sensor.
func TestSensorKeepsTheGrace(t *testing.T) {
	flags := append(sensorFlags(t), "--grace", "300ms")
	if o := looked(t, flags, 1200*time.Millisecond, leaking("leak", closing(t), 4)).leaks(t, 4, diagnose.EOFUnread); o.Counts.Stuck != 4 {
		t.Errorf("counts %+v, want 4 stuck", o.Counts)
	}
}
