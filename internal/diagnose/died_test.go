package diagnose

import (
	"slices"
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/observe"
)

// What ended a dead connection is said as far as its pending error tells, or a sensor
// that saw it, and no further.
func TestWhatEndedADeadConnection(t *testing.T) {
	by := func(end observe.End) edit {
		return func(s *observe.Socket) { dead(s); s.Died = end }
	}
	const taken = "the application was told of the end"
	for name, r := range map[string]struct {
		build func(w *world)
		says  []string
		not   []string
	}{
		"a RST, which nobody asked about": {
			build: func(w *world) { w.addMany(3, by(observe.EndReset)) },
			says:  []string{"a RST ended all 3: the error still waits"}, not: []string{taken}},
		"several ways": {
			build: func(w *world) {
				w.addMany(2, by(observe.EndReset))
				w.addMany(1, by(observe.EndDestroyed))
				w.addMany(1, by(""))
			},
			says: []string{"a RST ended 2 of 4", "destroyed (SOCK_DESTROY, ss -K) 1 of 4", taken + " of 1 of 4"}},
		"without BPF nothing is known": {
			build: func(w *world) { w.Reader = "procfs"; w.addMany(2, dead) },
			not:   []string{"RST ended", taken}},
		"the sensor saw it": {
			build: func(w *world) {
				w.sensed()
				w.add(by(observe.EndReset), w.remembered(900, 0, 700, func(h *observe.History) { h.End = observe.EndKeepalive }))
			},
			says: []string{"unanswered keepalive probes ended the one socket"}, not: []string{"RST ended", taken}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.Reader = "bpf"
			r.build(w)
			f := only(t, w.report())
			tells := func(text string) bool {
				return slices.ContainsFunc(f.Evidence, func(e Evidence) bool { return strings.Contains(e.Fact, text) })
			}
			for _, text := range r.says {
				if !tells(text) {
					t.Errorf("it does not say %q: %+v", text, f.Evidence)
				}
			}
			for _, text := range r.not {
				if tells(text) {
					t.Errorf("it says %q: %+v", text, f.Evidence)
				}
			}
		})
	}
}
