package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
)

// player is a running program that misbehaves, and when it began to.
type player struct {
	name string
	spec misbehave.Spec
	*misbehave.Program
	// begun is before its first connection, ready after its last.
	begun, ready time.Time
	missing      error // what this kernel can not do, or this user not ask of it
	book         []misbehave.Conn
}

// here ends a test of a program that could not be started.
func (x *player) here(t *testing.T) {
	t.Helper()
	if errors.Is(x.missing, misbehave.ErrPrivilege) {
		privilege.Need(t, x.name)
	}
	if x.missing != nil {
		privilege.Unsupported(t, x.name, x.missing)
	}
}

// record is Record, which does not change once the program has started.
func (x *player) record() []misbehave.Conn {
	if x.book == nil {
		x.book = x.Record()
	}
	return x.book
}

// population is the programs of one namespace.
type population struct {
	space   *space
	players []*player
}

// hands is how many programs are started at once.
const hands = 4

// populate starts programs, which end with the test. repeat is how often each
// plays its script in all, one connection after the other; 0 is once.
func populate(t testing.TB, s *space, specs []misbehave.Spec) *population {
	t.Helper()
	p := &population{space: s, players: make([]*player, len(specs))}
	var mu sync.Mutex
	var failed []error
	t.Cleanup(func() {
		each(p.players, func(_ int, x *player) {
			if x != nil && x.Program != nil {
				if err := x.Stop(); err != nil {
					t.Error(err)
				}
			}
		})
	})
	each(specs, func(i int, spec misbehave.Spec) {
		x, err := perform(t.Context(), s, spec)
		mu.Lock()
		defer mu.Unlock()
		p.players[i] = x
		if err != nil {
			failed = append(failed, err)
		}
	})
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
	return p
}

// one starts a single program.
func one(t testing.TB, s *space, spec misbehave.Spec) *player {
	t.Helper()
	return populate(t, s, []misbehave.Spec{spec}).players[0]
}

// perform starts a program in a namespace, on a port that is free for both
// families: one that two programs share could not tell them apart. Relays get their connections one by one: a relay
// opens its second leg when it has accepted the first.
func perform(ctx context.Context, s *space, spec misbehave.Spec) (*player, error) {
	spec.NetNS = s.path()
	x := &player{name: nameOf(spec), spec: spec, begun: time.Now()}
	more := 0
	if spec.Kind == misbehave.Relay || spec.Kind == misbehave.RelayBuffering {
		more, spec.Count = max(spec.Count-1, 0), 1
	}
	var err error
	if spec.Port, err = s.freePort(); err != nil {
		return x, err
	}
	x.Program, err = misbehave.Start(ctx, spec)
	if errors.Is(err, misbehave.ErrUnsupported) || errors.Is(err, misbehave.ErrPrivilege) && !privilege.Held() {
		x.missing, x.Program = err, nil
		return x, nil
	}
	for ; more > 0 && err == nil; more-- {
		err = x.More(1)
	}
	x.ready = time.Now()
	if err != nil {
		return x, fmt.Errorf("%s: %w", x.name, err)
	}
	return x, nil
}

func nameOf(s misbehave.Spec) string {
	name := string(s.Kind)
	switch {
	case s.IPv6:
		name += "/IPv6"
	case s.Mapped:
		name += "/mapped"
	default:
		name += "/IPv4"
	}
	if s.KeepAlive {
		name += "/keepalive"
	}
	return name
}

// each calls fn for all elements, some at a time.
func each[T any](all []T, fn func(i int, x T)) {
	var wait sync.WaitGroup
	free := make(chan struct{}, hands)
	for i, x := range all {
		free <- struct{}{}
		wait.Go(func() {
			defer func() { <-free }()
			fn(i, x)
		})
	}
	wait.Wait()
}

// age waits until every connection is older than d, and by how much the kernel's
// clocks and ours may differ.
func (p *population) age(d time.Duration) {
	for _, x := range p.players {
		time.Sleep(time.Until(x.ready.Add(d + 100*time.Millisecond)))
	}
}

// readers are the ways to look that this process may use.
func readers() []string { return []string{"procfs", "bpf"} }

// begun is when these tests began.
var begun = time.Now()

// older reports whether it is a mini-socket from before: what another program closed on
// a port that the kernel has since given to us. It lasts for 60 s (tcp_fin_timeout).
// A look that ended at some time has read the timer before.
func older(x *observe.Socket, ended time.Time) bool {
	return x.Timer.Kind == observe.TimerTimeWait && ended.Add(x.Timer.Expires.Duration()-time.Minute).Before(begun)
}

// options are without the sensor that somebody else may have pinned on this host: it
// makes certain what is likely. "-" is no BPF filesystem.
func options(reader string) collect.Options { return collect.Options{Reader: reader, SensorDir: "-"} }

func look(t testing.TB, reader string) *observe.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := collect.Look(ctx, options(reader))
	if err != nil {
		t.Fatal(err)
	}
	own, ended := ownSpace(t).id, time.Now()
	s.Sockets = slices.DeleteFunc(s.Sockets, func(x observe.Socket) bool { return x.NetNS == own && older(&x, ended) })
	return s
}
