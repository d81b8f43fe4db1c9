package collect

import (
	"context"
	"testing"

	"github.com/closewait/closewait/internal/kernel/sensor"
	"github.com/closewait/closewait/internal/observe"
)

// A pinned sensor has places for a few listeners; who finds none free has one of its own.
func TestWhoFindsNoPlaceHasASensorOfItsOwn(t *testing.T) {
	o := Options{SensorDir: pinned(t, "a sensor with all its places taken")}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, sensor.Places)
	defer func() {
		stop()
		for range sensor.Places {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}()
	for range sensor.Places {
		x, err := OpenSensing(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { x.Close() }) // when nobody listens any more
		if x.Own() {
			t.Fatal("the pinned sensor is not used")
		}
		ready := make(chan struct{})
		go func() { ended <- x.Listen(ctx, func() { close(ready) }, func(*observe.Happening) {}) }()
		<-ready
	}
	x, err := OpenSensing(o)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if !x.Own() {
		t.Error("it wants a place where all are taken")
	}
}
