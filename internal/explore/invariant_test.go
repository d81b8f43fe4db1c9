package explore

import (
	"testing"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

type stepFunc = func(*model.Profile, model.Conn, model.Event, model.Time) (model.Conn, model.Effects)

// broken wraps model.Step: change sees what it did, and may undo it.
func broken(change func(p *model.Profile, before model.Conn, e *model.Event, after *model.Conn, fx *model.Effects)) stepFunc {
	return func(p *model.Profile, c model.Conn, e model.Event, now model.Time) (model.Conn, model.Effects) {
		after, fx := model.Step(p, c, e, now)
		if c.Synchronized() { // the opening is left alone
			change(p, c, &e, &after, &fx)
		}
		return after, fx
	}
}

// after is what another event would have done.
func after(p *model.Profile, c model.Conn, e model.Event) model.Conn {
	next, _ := model.Step(p, c, e, model.Epoch)
	return next
}

// resetFor is what a closed connection answers to a segment, as if it were no RST.
func resetFor(p *model.Profile, seg tcp.Segment) model.Effects {
	seg.Flags = seg.Flags&^tcp.RST | tcp.ACK
	_, fx := model.Step(p, model.NewConn(p), model.Arrive(seg), model.Epoch)
	return fx
}

// mutants break the model, each so that one invariant has to notice.
func mutants() map[string]stepFunc {
	return map[string]stepFunc{
		"diagram": broken(func(p *model.Profile, c model.Conn, e *model.Event, next *model.Conn, _ *model.Effects) {
			if c.State() == tcp.Established && e.Kind == model.KindArrive && e.Segment.Flags == tcp.ACK {
				*next = after(p, c, model.Destroy()) // an ACK ends a connection
			}
		}),
		"close-wait-exits": broken(func(p *model.Profile, c model.Conn, e *model.Event, next *model.Conn, _ *model.Effects) {
			if c.State() == tcp.CloseWait && e.Kind == model.KindRead {
				*next = after(p, c, model.Abort()) // a read closes
			}
		}),
		"fin-to-close-wait": broken(func(p *model.Profile, c model.Conn, _ *model.Event, next *model.Conn, _ *model.Effects) {
			if c.State() == tcp.Established && next.State() == tcp.CloseWait {
				*next = after(p, *next, model.Shutdown(model.ShutWrite)) // a FIN is answered by one
			}
		}),
		"fin-acked-by-tcp": broken(func(_ *model.Profile, c model.Conn, _ *model.Event, next *model.Conn, fx *model.Effects) {
			if !c.FinReceived() && next.FinReceived() {
				*fx = model.Effects{}
			}
		}),
		"fin-is-half": broken(func(_ *model.Profile, c model.Conn, e *model.Event, _ *model.Conn, fx *model.Effects) {
			if c.State() == tcp.CloseWait && e.Kind == model.KindWrite {
				fx.Result.Err = model.EPIPE
			}
		}),
		"zero-after-data": broken(func(p *model.Profile, c model.Conn, e *model.Event, next *model.Conn, fx *model.Effects) {
			if e.Kind == model.KindRead && c.Unread() > 0 {
				*next, fx.Result = c, zeroRead(p)
			}
		}),
		"no-rst-for-rst": broken(func(p *model.Profile, _ model.Conn, e *model.Event, _ *model.Conn, fx *model.Effects) {
			if e.Kind == model.KindArrive && e.Segment.Has(tcp.RST) {
				*fx = resetFor(p, e.Segment)
			}
		}),
		"rst-once": broken(func(_ *model.Profile, c model.Conn, e *model.Event, next *model.Conn, _ *model.Effects) {
			if e.Kind == model.KindAbort {
				*next = c // a RST is sent, and the connection stays
			}
		}),
		"closed-is-quiet": broken(func(p *model.Profile, c model.Conn, e *model.Event, _ *model.Conn, fx *model.Effects) {
			if c.State() == tcp.Closed && e.Kind == model.KindRead {
				*fx = resetFor(p, tcp.Segment{})
			}
		}),
		"sequence-forward": broken(func(p *model.Profile, c model.Conn, e *model.Event, next *model.Conn, _ *model.Effects) {
			if e.Kind == model.KindRead && c.State() == tcp.Established {
				*next = opened(p) // a read takes it back to the beginning
			}
		}),
		"ack-is-true": broken(func(_ *model.Profile, c model.Conn, e *model.Event, next *model.Conn, _ *model.Effects) {
			if e.Kind == model.KindArrive && e.Segment.Len > 0 {
				*next = c // acknowledged, and thrown away
			}
		}),
		"data-before-zero": broken(func(_ *model.Profile, c model.Conn, e *model.Event, next *model.Conn, fx *model.Effects) {
			if e.Kind == model.KindWrite && fx.Result.N > 0 {
				*next, *fx = c, model.Effects{Result: fx.Result} // taken, and never sent
			}
		}),
		"data-not-invented": broken(func(_ *model.Profile, c model.Conn, e *model.Event, _ *model.Conn, fx *model.Effects) {
			if e.Kind == model.KindRead && c.State() == tcp.Established {
				fx.Result = model.Result{Call: model.KindRead, N: 1}
			}
		}),
		"acked-is-received": broken(func(_ *model.Profile, c model.Conn, e *model.Event, next *model.Conn, _ *model.Effects) {
			if e.Kind == model.KindArrive && e.Segment.Len > 0 {
				*next = c
			}
		}),
		"fin-wait-2-was-heard": broken(func(_ *model.Profile, c model.Conn, _ *model.Event, next *model.Conn, _ *model.Effects) {
			if !c.FinReceived() && next.FinReceived() {
				*next = c // a FIN is acknowledged, and forgotten
			}
		}),
		"always-an-exit": broken(func(_ *model.Profile, c model.Conn, e *model.Event, next *model.Conn, fx *model.Effects) {
			if c.State() == tcp.CloseWait && e.Kind == model.KindClose {
				*next, *fx = c, model.Effects{} // close does nothing
			}
		}),
		"no-endless-talk": broken(func(p *model.Profile, c model.Conn, e *model.Event, _ *model.Conn, fx *model.Effects) {
			if c.State() == tcp.Closed && e.Kind == model.KindArrive {
				*fx = resetFor(p, e.Segment) // to a RST, too
			}
		}),
	}
}

// opened is a connection that has just been opened.
func opened(p *model.Profile) model.Conn {
	o := Options{Profiles: [2]model.Profile{*p, *p}, Step: model.Step}
	conns, _, _ := start(&o)
	return conns[0]
}

// zeroRead is what a read returns that returns zero.
func zeroRead(p *model.Profile) model.Result {
	fin := tcp.Segment{Seq: 1, Ack: 1, Flags: tcp.FIN | tcp.ACK, Window: p.ReceiveBuffer}
	_, fx := model.Step(p, after(p, opened(p), model.Arrive(fin)), model.Read(1), model.Epoch)
	return fx.Result
}

// An invariant that can not fail says nothing.
func TestInvariantsCatchBrokenModels(t *testing.T) {
	// The model's values can not be made so from outside, whatever Step does.
	outOfReach := map[string]bool{"states-know-fins": true, "no-orphan-in-close-wait": true}
	all := mutants()
	for _, inv := range Invariants() {
		if outOfReach[inv.Name] {
			continue
		}
		t.Run(inv.Name, func(t *testing.T) {
			step, ok := all[inv.Name]
			if !ok {
				t.Fatal("no mutant breaks this invariant: write one")
			}
			o := Of(model.Linux())
			o.Bounds, o.Step = Bounds{Octets: 1}, step
			if inv.graph == nil {
				o.Bounds.States = 100_000 // a broken model may have no end of states
			}
			r, err := Explore(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range r.Violations {
				if v.Invariant.Name == inv.Name {
					t.Logf("caught:\n%s", v.Path.Steps())
					return
				}
			}
			t.Errorf("not caught; violations: %d, states: %d", len(r.Violations), r.States)
		})
	}
}

func TestInvariantsNameTheirSource(t *testing.T) {
	names := map[string]bool{}
	for _, inv := range Invariants() {
		judges := 0
		for _, there := range []bool{inv.step != nil, inv.whole != nil, inv.graph != nil} {
			if there {
				judges++
			}
		}
		if inv.Name == "" || inv.From == "" || inv.Text == "" || names[inv.Name] || judges != 1 {
			t.Errorf("%q: wants a name of its own, a source, a text, and one judge; has %d", inv.Name, judges)
		}
		names[inv.Name] = true
	}
}
