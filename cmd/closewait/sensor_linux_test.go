package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/privilege"
)

// The life of a sensor: started, it counts what happens; stopped, nothing of it is
// left.
func TestSensorStartStatusStop(t *testing.T) {
	privilege.Need(t, "the sensor command")
	dir := fmt.Sprintf("/sys/fs/bpf/closewait-test-cmd-%d", os.Getpid())
	pin := func(args ...string) result {
		return closewait(t, append([]string{"sensor"}, append(args, "--pin", dir)...)...)
	}
	defer func() { pin("stop") }()

	pin("status").want(t, exitStuck).says(t, "No sensor is running")
	pin("stop").want(t, exitOK).says(t, "No sensor is running")
	pin("start").want(t, exitOK).says(t, "The sensor runs.")
	pin("start").want(t, exitOK).says(t, "running already")
	p, err := misbehave.Start(t.Context(), misbehave.Spec{Kind: misbehave.EOFIgnored, Count: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Stop() }()
	var status struct {
		Running bool
		Since   time.Time
		Seen    map[string]uint64
		Cost    []struct{ Runs uint64 }
	}
	out := pin("status", "--json", "--measure", "100ms").want(t, exitOK).out
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		t.Fatal(err)
	}
	if !status.Running || status.Seen["half_closed"] < 7 || status.Seen["zero_reads"] < 7 || len(status.Cost) == 0 || time.Since(status.Since) > time.Minute {
		t.Errorf("status %s", out)
	}
	text := pin("status", "--measure", "100ms").want(t, exitOK).out
	for _, want := range []string{"The sensor runs since ", "older than the sensor", "lost    0 histories", "ns each", "of one processor"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	pin("stop").want(t, exitOK).says(t, "The sensor is gone")
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s: %v", dir, err)
	}
}

func TestSensorWithoutPrivilege(t *testing.T) {
	privilege.Need(t, "what the sensor command says to another user")
	cmd := command(t, "sensor", "start")
	r := asNobody(t, cmd)
	if r.status != exitFailed || !strings.Contains(r.err, "CAP_BPF") {
		t.Errorf("status %d: %s", r.status, r.err)
	}
}
