package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/kernel/sensor"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/watch"
)

// A watch keeps the sensor that somebody stops, and says so: what it tells after that
// is as exact as before.
func TestWatchKeepsTheSensorThatIsStopped(t *testing.T) {
	privilege.Need(t, "a watch with a sensor that is stopped")
	dir := fmt.Sprintf("/sys/fs/bpf/closewait-test-watch-%d", os.Getpid())
	must(t, sensor.Start(dir))
	t.Cleanup(func() { _ = sensor.Stop(dir) })
	sensing, err := collect.OpenSensing(collect.Options{SensorDir: dir})
	must(t, err)
	defer sensing.Close()
	p := (&watching{
		env: &env{}, interval: length{value: 100 * time.Millisecond}, grace: length{value: time.Second},
		reader: choice{value: "auto"}, sensor: choice{value: "auto"},
	}).newPoller(sensing, "")
	p.problem = func(text string) { t.Error(text) }
	ctx, stop := context.WithCancel(t.Context())
	events, ended := make(chan watch.Event, 10_000), make(chan error, 1)
	go func() {
		ended <- p.poll(ctx, func(_ *diagnose.Report, told []watch.Event) error {
			for _, e := range told {
				events <- e
			}
			return nil
		})
	}()
	await := func(what string, is func(*watch.Event) bool) watch.Event {
		for {
			select {
			case e := <-events:
				if is(&e) {
					return e
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s is not told", what)
			}
		}
	}
	await("the beginning", func(e *watch.Event) bool { return e.Kind == watch.Began })
	closewait(t, "sensor", "stop", "--pin", dir).want(t, exitOK).says(t, "One closewait (watch or run) still uses it")
	e := await("the stop", func(e *watch.Event) bool { return e.Kind == watch.SensorStopped })
	if line := watch.Line(&e, nil); !strings.Contains(line, "  sensor        somebody stopped the sensor: this watch keeps it") {
		t.Errorf("it says %q", line)
	}
	c := connect(t)
	about := c.ours.LocalAddr().String()
	must(t, c.far.Close())
	await("the FIN", func(e *watch.Event) bool { return e.Kind == watch.FINReceived && e.Local == about })
	must(t, c.ours.Close())
	e = await("the end", func(e *watch.Event) bool { return e.Kind == watch.Ended && e.Local == about })
	if e.Source != watch.FromSensor || e.End != observe.EndClosed || e.Confidence != diagnose.Certain {
		t.Errorf("the end is told as %+v", e)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	closewait(t, "sensor", "stop", "--pin", dir).want(t, exitOK).says(t, "No sensor is running")
}
