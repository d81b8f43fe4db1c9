package closewaittest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// recorder is a test that is looked at from outside.
type recorder struct {
	testing.TB
	name         string
	cleanups     []func()
	errors, logs []string
}

func record(t testing.TB, name string) *recorder { return &recorder{TB: t, name: name} }

func (r *recorder) Name() string     { return r.name }
func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
func (r *recorder) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}

// end runs the cleanups as a test does, and returns what it failed with.
func (r *recorder) end() string {
	for _, f := range slices.Backward(r.cleanups) {
		f()
	}
	return strings.Join(r.errors, "\n")
}
