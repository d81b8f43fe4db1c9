package remedy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/closewait/closewait/tcp"
)

// Runner carries out plans. Hand, Clock and Record must be set.
type Runner struct {
	Hand  Hand
	Clock Clock
	// Record is told of every act that was tried, at once. If it fails no
	// further act is done.
	Record func(*Result) error
	// Conclude is told, at the end, of every act of which more is known by then than
	// Record was told; nil for nobody.
	Conclude func(*Result) error
	// Rate is the most acts a second; zero is no limit.
	Rate float64
	// Settle is for how long at most to wait, after the last act, for connections
	// to end; zero does not wait.
	Settle time.Duration
}

// Run does what the plan says. When ctx ends no further act is done; what has been
// done is returned all the same. The error is of Record or Conclude.
func (r *Runner) Run(ctx context.Context, p *Plan) (*Done, error) {
	d := &Done{Plan: p, Results: []Result{}, Counts: map[Outcome]int{}, Owners: []OwnerChange{}}
	owners := r.owners(p)
	begun := r.Clock.Now()
	err := r.acts(ctx, p, d)
	recorded := slices.Clone(d.Results)
	if ctx.Err() == nil {
		r.settle(ctx, d.Results)
	}
	for i := range d.Results {
		r.conclude(&d.Results[i])
		d.Counts[d.Results[i].Outcome]++
	}
	if told := r.tell(d.Results, recorded); err == nil {
		err = told
	}
	for _, h := range owners {
		after, ok := r.Hand.OpenFiles(h.holder.PID, h.holder.StartTicks)
		if !ok {
			after = -1
		}
		d.Owners = append(d.Owners, OwnerChange{PID: h.holder.PID, Before: h.before, After: after})
	}
	d.Interrupted = d.Counts[NotReached] > 0
	d.TookMS = float64(r.Clock.Now().Sub(begun).Microseconds()) / 1000
	return d, err
}

// tell passes on what has come of the acts since they were recorded.
func (r *Runner) tell(results, recorded []Result) error {
	if r.Conclude == nil {
		return nil
	}
	for i := range results {
		now, was := &results[i], &recorded[i]
		if now.Outcome == was.Outcome && now.Why == was.Why && now.Descriptor == was.Descriptor {
			continue
		}
		if err := r.Conclude(now); err != nil {
			return fmt.Errorf("what was done is recorded, and what came of it is not: %w", err)
		}
	}
	return nil
}

type owner struct {
	holder Holder
	before int
}

// owners counts the descriptors of every process that the plan is about.
func (r *Runner) owners(p *Plan) []owner {
	seen := map[int]Holder{}
	for i := range p.Parts {
		for j := range p.Parts[i].Acts {
			a := &p.Parts[i].Acts[j]
			if a.Process != nil {
				seen[a.Process.PID] = Holder{PID: a.Process.PID, StartTicks: a.Process.StartTicks}
				continue
			}
			for _, h := range a.Socket.Holders {
				seen[h.PID] = h
			}
		}
	}
	var out []owner
	for _, h := range seen {
		if n, ok := r.Hand.OpenFiles(h.PID, h.StartTicks); ok {
			out = append(out, owner{h, n})
		}
	}
	slices.SortFunc(out, func(a, b owner) int { return cmp.Compare(a.holder.PID, b.holder.PID) })
	return out
}

// acts does them in order, no faster than the rate.
func (r *Runner) acts(ctx context.Context, p *Plan, d *Done) error {
	var failed error
	var denied deniedActs
	next := r.Clock.Now()
	for i := range p.Parts {
		for j := range p.Parts[i].Acts {
			a := &p.Parts[i].Acts[j]
			if failed == nil && ctx.Err() == nil {
				next = r.wait(ctx, next)
			}
			if failed != nil || ctx.Err() != nil {
				d.Results = append(d.Results, Result{Act: a, Outcome: NotReached})
				continue
			}
			res := denied.again(a)
			if res == nil {
				res = r.do(ctx, a)
				denied.learn(res)
			}
			if res.Outcome != NotReached {
				failed = r.Record(res)
			}
			d.Results = append(d.Results, *res)
		}
	}
	if failed != nil {
		return fmt.Errorf("nothing more was done, because an act could not be recorded: %w", failed)
	}
	return nil
}

// wait keeps the rate: an act is due 1/Rate after the one before was.
func (r *Runner) wait(ctx context.Context, due time.Time) time.Time {
	if r.Rate <= 0 {
		return due
	}
	now := r.Clock.Now()
	if d := due.Sub(now); d > 0 {
		if r.Clock.Wait(ctx, d) != nil {
			return due
		}
		now = due
	}
	return now.Add(time.Duration(float64(time.Second) / r.Rate))
}

// do carries out one act.
func (r *Runner) do(ctx context.Context, a *Act) *Result {
	res := &Result{Act: a, At: r.Clock.Now()}
	var c Change
	var err error
	switch a.Degree {
	case Room:
		c, err = r.Hand.Raise(ctx, a)
	case KeepAlive:
		c, err = r.Hand.KeepAlive(ctx, a)
	case Shutdown:
		c, err = r.Hand.Shutdown(ctx, a)
	case Destroy:
		c, err = r.Hand.Destroy(ctx, a)
	default:
		err = fmt.Errorf("nothing can be done by degree %q", a.Degree)
	}
	res.Was, res.Is, res.WasMax, res.IsMax, res.Through = c.Was, c.Is, c.WasMax, c.IsMax, c.Through
	if a.Socket != nil && c.Before != (Sight{}) {
		res.Before = &c.Before
	}
	switch {
	case err == nil:
		res.After = &c.After
		switch {
		case a.Degree == Room:
			res.Outcome, res.After = Raised, nil
		case c.After.State == tcp.Closed || !c.After.State.Valid():
			res.Outcome = DidEnd
		default:
			res.Outcome = Pending // until it is looked at again
		}
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		res.Outcome = NotReached
	default:
		res.refuse(err)
		r.doubt(ctx, res)
	}
	return res
}

// doubt looks whether a connection is really gone of which only the descriptor is:
// somebody may have been given another one since.
func (r *Runner) doubt(ctx context.Context, res *Result) {
	if res.Outcome != WasGone || res.Act.Socket == nil {
		return
	}
	if s, err := r.Hand.Look(ctx, res.Act); err == nil && s.State == res.Act.Socket.State {
		res.Outcome, res.Kind, res.Last = Refused, Changed, &s
		res.Why += ", and the connection is still there: something else holds it by now"
	}
}

func (res *Result) refuse(err error) {
	res.Outcome, res.Why, res.Kind = Refused, err.Error(), Failed
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		res.Kind = refusal.Kind
	}
	switch res.Kind {
	case Ended:
		res.Outcome = WasGone
	case Enough:
		res.Outcome = AlreadySo
	}
}

// deniedActs remembers what the kernel refuses for good, so that it is asked once
// and not ten thousand times.
type deniedActs struct{ unsupported map[Degree]string }

func (d *deniedActs) again(a *Act) *Result {
	why, ok := d.unsupported[a.Degree]
	if !ok {
		return nil
	}
	return &Result{Act: a, Outcome: Refused, Kind: Unsupported, Why: why}
}

func (d *deniedActs) learn(res *Result) {
	if res.Kind == Unsupported {
		if d.unsupported == nil {
			d.unsupported = map[Degree]string{}
		}
		d.unsupported[res.Act.Degree] = res.Why
	}
}

// settle looks at what has not ended until it has, or the time is over.
func (r *Runner) settle(ctx context.Context, results []Result) {
	deadline := r.Clock.Now().Add(r.Settle)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		waiting := 0
		for i := range results {
			res := &results[i]
			if res.Outcome != Pending || ctx.Err() != nil {
				continue
			}
			if r.look(ctx, res); res.Outcome == Pending && !res.settled() {
				waiting++
			}
		}
		left := deadline.Sub(r.Clock.Now())
		if waiting == 0 || left <= 0 || r.Clock.Wait(ctx, min(pause, left)) != nil {
			return
		}
	}
}

// look sees whether a connection has ended since.
func (r *Runner) look(ctx context.Context, res *Result) {
	s, err := r.Hand.Look(ctx, res.Act)
	if err == nil {
		res.Last = &s
		return
	}
	if refusal, ok := errors.AsType[*Refusal](err); ok && refusal.Kind == Ended {
		res.Outcome, res.Last = DidEnd, nil
	}
}

// answered is how recently the peer must have been heard for its ACK to be the answer to
// a probe that has just left.
const answered = time.Second

// settled: a peer that has answered the probe will answer the next ones.
func (res *Result) settled() bool {
	return res.Act.Degree == KeepAlive && res.Last != nil && res.Last.LastAck < answered && res.Before != nil && res.Before.LastAck > answered
}

// conclude says of what has not ended why, and what the application did with its
// descriptor.
func (r *Runner) conclude(res *Result) {
	if res.Outcome == Pending {
		res.Outcome, res.Why = StillThere, res.remains()
	}
	if res.Act.Socket == nil || res.Outcome == NotReached || len(res.Act.Socket.Holders) == 0 {
		return
	}
	switch held, known := r.Hand.Held(res.Act); {
	case held:
		res.Descriptor = Held
	case known:
		res.Descriptor = Released
	}
}

func (res *Result) remains() string {
	last := res.Last
	if last == nil {
		last = res.After
	}
	switch {
	case last == nil:
		return "it could not be looked at afterwards"
	case res.Act.Degree == KeepAlive && res.settled():
		return "the peer answers probes: either it closed, and its FIN_WAIT_2 still runs (60 s on Linux), or it lives; if this is still so in two minutes, --degree shutdown"
	case res.Act.Degree == KeepAlive && last.Unanswered > 0:
		return "the peer is silent: it ends " + span(res.Act.Probes.givesUp()) + " after the first probe"
	case res.Act.Degree == KeepAlive:
		return "keepalive is on; the first probe leaves within " + span(time.Duration(res.Act.Probes.Idle))
	case res.Act.Degree == Shutdown && res.Act.Socket.SendQ > 0:
		return "the FIN waits behind data that the peer does not take"
	case res.Act.Degree == Shutdown:
		return "the peer has not acknowledged the FIN yet: its host may be silent, and the kernel gives up in some 15 min; --degree destroy does not wait"
	}
	return "the kernel still lists it"
}
