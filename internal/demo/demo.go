// Package demo stages what closewait finds: small real programs, started from
// this very binary, that each leak connections in one way over loopback. They
// end with the Stage, and with this process whatever becomes of it. No privilege
// is needed; where programs can not run (not on Linux), Start says so.
//
// A Stage is for one goroutine.
package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/tcp"
)

// act is one program of the demo.
type act struct {
	kind    misbehave.Kind
	title   string // what the program calls itself
	count   int
	workers int
}

// acts has a program for each cause that needs no lost packet. Only fin-unacked
// does: its peer's host must fall silent.
var acts = []act{
	{misbehave.EOFUnread, "(demo:idle-pool)", 12, 2},
	{misbehave.TLSPool, "(demo:idle-tls-pool)", 3, 1},
	{misbehave.EOFIgnored, "(demo:forgot-close)", 6, 1},
	{misbehave.DataUnread, "(demo:stuck-reader)", 2, 1},
	{misbehave.NeverAccepted, "(demo:hung-server)", 5, 1},
	{misbehave.SendBlocked, "(demo:slow-client)", 2, 1},
	{misbehave.MaskedWrite, "(demo:masked)", 8, 1},
	{misbehave.Ownerless, "(demo:in-flight)", 1, 1},
	{misbehave.PeerKeepsOpen, "(demo:half-closer)", 2, 1},
	{misbehave.HalfCloseInUse, "(demo:streamer)", 2, 1},
	{misbehave.OrphanDraining, "(demo:closer)", 2, 1},
}

// Stage is the running programs.
type Stage struct {
	programs []*misbehave.Program
}

// Start starts the programs and returns once each has done its harm. On an
// error nothing is left running.
func Start(ctx context.Context) (*Stage, error) {
	var (
		wg      sync.WaitGroup
		started = make([]*misbehave.Program, len(acts))
		errs    = make([]error, len(acts))
	)
	for i, a := range acts {
		wg.Go(func() {
			started[i], errs[i] = misbehave.Start(ctx, misbehave.Spec{Kind: a.kind, Count: a.count, Title: a.title, Workers: a.workers})
			if errs[i] != nil {
				errs[i] = fmt.Errorf("start the demo's program %s: %w", a.title, errs[i])
			}
		})
	}
	wg.Wait()
	s := &Stage{}
	for _, p := range started {
		if p != nil {
			s.programs = append(s.programs, p)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// Ports are the ports of the programs' services: every connection of the demo
// has one of them at one end. A dead descriptor keeps its own port only, as far
// as can be seen without privilege: those are there too.
func (s *Stage) Ports() []uint16 {
	seen := map[uint16]bool{}
	var ports []uint16
	add := func(p uint16) {
		if p != 0 && !seen[p] {
			seen[p] = true
			ports = append(ports, p)
		}
	}
	for _, p := range s.programs {
		add(p.Service().Port())
		for _, l := range p.Listeners() {
			add(l.Local.Port())
		}
		for _, c := range p.Record() {
			if c.State == tcp.Closed {
				add(c.Local.Port())
			}
		}
	}
	return ports
}

// Stop ends the programs and waits until they are gone.
func (s *Stage) Stop() error {
	var errs []error
	for _, p := range s.programs {
		errs = append(errs, p.Stop())
	}
	s.programs = nil
	return errors.Join(errs...)
}
