package privilege

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// verdict records how a test would have ended; the rest of testing.TB is not
// called.
type verdict struct {
	testing.TB
	said string
}

func (v *verdict) Helper() {}

func (v *verdict) Skipf(format string, args ...any)  { v.end("skip", format, args...) }
func (v *verdict) Fatalf(format string, args ...any) { v.end("fail", format, args...) }

// end stops the caller as the real ones do.
func (v *verdict) end(how, format string, args ...any) {
	v.said = how + ": " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func outcome(call func(t testing.TB)) string {
	v := &verdict{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		call(v)
		v.said = "goes on"
	}()
	<-done
	return v.said
}

func TestASkipFailsWhereSkippingIsForbidden(t *testing.T) {
	denied := errors.New("permission denied")
	for _, row := range []struct {
		name, ordinary, ci string
		call               func(t testing.TB)
	}{
		{"program there", "goes on", "goes on", func(t testing.TB) { Program(t, "go", "x") }},
		{"program absent", "skip: not checked: x", "fail: not checked: x", func(t testing.TB) { Program(t, "no-such-program", "x") }},
		{"refused", "skip: not checked: x: permission", "fail: not checked: x: permission", func(t testing.TB) { Refused(t, "x", denied) }},
		{"unsupported", "skip: not checked: x", "skip: not checked: x", func(t testing.TB) { Unsupported(t, "x", denied) }},
	} {
		for noSkip, want := range map[string]string{"": row.ordinary, "1": row.ci} {
			t.Setenv(NoSkip, noSkip)
			if got := outcome(row.call); !strings.HasPrefix(got, want) {
				t.Errorf("%s, %s=%q: %q, want %q…", row.name, NoSkip, noSkip, got, want)
			}
		}
	}
}

func TestNeedAgreesWithHeld(t *testing.T) {
	t.Setenv(NoSkip, "1")
	goesOn := outcome(func(t testing.TB) { Need(t, "x") }) == "goes on"
	if goesOn != Held() {
		t.Errorf("Need goes on: %v, Held: %v", goesOn, Held())
	}
}
