package e2e

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
)

// populations is how many are tried; each takes seconds, since connections must
// age. RAPID_SEED or -rapid.seed repeats a run; a failure prints its seed.
const populations = "4"

// TestRandomPopulations: whatever runs beside whatever, every socket is counted
// once, in the group it belongs to, and nothing else is.
func TestRandomPopulations(t *testing.T) {
	t.Parallel()
	in := ownSpace(t)
	if privilege.Held() {
		in = newSpace(t) // where there is nothing else
	}
	for name, value := range map[string]string{"rapid.checks": populations, "rapid.shrinktime": "10s", "rapid.nofailfile": "true"} {
		if f := flag.Lookup(name); f.Value.String() == f.DefValue {
			if err := f.Value.Set(value); err != nil {
				t.Fatal(err)
			}
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		specs := rapid.SliceOfN(rapid.Custom(drawSpec), 1, 4).Draw(r, "programs")
		reader := "procfs"
		if privilege.Held() {
			reader = rapid.SampledFrom(readers()).Draw(r, "reader")
		}
		p := &population{space: in}
		defer p.end(r)
		for i, spec := range specs {
			spec.Title = fmt.Sprintf("(random:%c)", 'a'+i)
			x, err := perform(t.Context(), in, spec)
			if err != nil {
				r.Fatal(err)
			}
			if x.missing == nil {
				p.players = append(p.players, x)
			}
		}
		p.age(settled)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s, err := collect.Look(ctx, options(reader))
		if err != nil {
			r.Fatal(err)
		}
		for _, x := range p.players {
			check(r, s, x, in, grace)
		}
		if in.file != nil {
			nothingElse(r, s, p)
		}
	})
}

func (p *population) end(r reporter) {
	for _, x := range p.players {
		if err := x.Stop(); err != nil {
			r.Error(err)
		}
	}
}

// drawSpec draws a program of up to some hundred connections.
func drawSpec(r *rapid.T) misbehave.Spec {
	kinds := slices.DeleteFunc(misbehave.Kinds(), func(k misbehave.Kind) bool { return k == misbehave.Churn })
	s := misbehave.Spec{
		Kind:    rapid.SampledFrom(kinds).Draw(r, "kind"),
		Count:   rapid.IntRange(3, 120).Draw(r, "count"),
		Workers: rapid.IntRange(1, 3).Draw(r, "workers"),
	}
	switch rapid.IntRange(0, 2).Draw(r, "family") {
	case 1:
		s.IPv6 = true
	case 2:
		s.Mapped = true
	}
	switch s.Kind {
	case misbehave.Relay, misbehave.RelayBuffering:
		s.Count, s.Workers = s.Count%8+1, 1
	case misbehave.ReusePort:
		s.Count, s.Workers = s.Count%20+1, 1
	case misbehave.NeverAccepted, misbehave.NeverAcceptedData:
		s.Workers = 1
	}
	return s
}

// nothingElse: in a namespace of their own, every reported socket is of one of
// the programs.
func nothingElse(r reporter, s *observe.Snapshot, p *population) {
	r.Helper()
	for _, f := range inSpace(s, p.space) {
		for i := range f.Sockets {
			known := slices.ContainsFunc(p.players, func(x *player) bool {
				return slices.ContainsFunc(x.record(), func(c misbehave.Conn) bool {
					return c.Cause != "" && matches(&c, &f.Sockets[i])
				})
			})
			if !known {
				r.Errorf("%s is said of a socket in no record: %+v", f.Cause, f.Sockets[i])
			}
		}
	}
	total := diagnose.Diagnose(nil, s, diagnose.Options{Grace: grace}).Totals
	if total.Stuck+total.NotStuck < total.CloseWait+total.FinWait2+total.Masked {
		r.Errorf("the findings hold %d sockets, the totals %+v", total.Stuck+total.NotStuck, total)
	}
}
