package diagnose

import (
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// aged adds sockets whose FINs came that many seconds ago.
func (w *world) aged(ages ...float64) {
	for _, a := range ages {
		w.add(recvQ(1), quiet(9000, 9000, a))
	}
}

// every lists n ages, step apart, beginning with step.
func every(step float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = step * float64(i+1)
	}
	return out
}

func TestGrowthEstimate(t *testing.T) {
	for _, r := range []struct {
		name string
		ages []float64
		want float64 // an hour; NaN for none
	}{
		{"a uniform leak: one every 30 s", every(30, 240), 120},
		{"a uniform leak: two a minute for 20 minutes", every(30, 40), 120},
		{"a burst long ago is no growth", []float64{3600, 3601, 3602, 3603, 3604}, 0},
		{"a burst long ago and two since: an accident", []float64{3600, 3601, 3602, 3603, 100, 200}, 0},
		{"three since: a rate", []float64{3600, 3600, 3600, 100, 200, 300}, 6},
		{"a leak that began to run faster", append(every(10, 120), 3600, 3500, 3400), 240},
		{"two sockets are no history", []float64{100, 200}, math.NaN()},
		{"all came within a second", []float64{0.1, 0.2, 0.3}, math.NaN()},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld()
			w.aged(r.ages...)
			for _, f := range w.report().Findings {
				got := math.NaN()
				if f.GrowthPerHour != nil {
					got = *f.GrowthPerHour
				}
				if f.GrowthBasis != OneLook || math.IsNaN(got) != math.IsNaN(r.want) || math.Abs(got-r.want) > r.want/15 {
					t.Errorf("%s: %v an hour (%s), want %v", f.Cause, got, f.GrowthBasis, r.want)
				}
			}
		})
	}
}

func TestYoungTwinsCountForGrowth(t *testing.T) {
	w := newWorld()
	w.aged(every(10, 60)...) // the five youngest are not stuck
	for _, f := range w.report().Findings {
		if f.GrowthPerHour == nil || math.Abs(*f.GrowthPerHour-360) > 20 {
			t.Errorf("stuck %v: growth %v, want 360", f.Stuck, f.GrowthPerHour)
		}
		if younger := map[bool]int{true: 5}[f.Stuck]; f.Younger != younger {
			t.Errorf("stuck %v: %d younger, want %d", f.Stuck, f.Younger, younger)
		}
	}
}

func TestGrowthByTwoLooks(t *testing.T) {
	const hour = 3600.0
	old := slices.Repeat([]float64{600}, 20)
	for _, r := range []struct {
		name     string
		first    []float64
		interval time.Duration
		drop     int       // of the first look's are gone at the second
		came     []float64 // at the second
		want     float64
		basis    GrowthBasis
	}{
		{"ten came, none went", old, 100 * time.Second, 0, every(1, 10), 10 * hour / 100, TwoLooks},
		{"ten came, four went", old, 100 * time.Second, 4, every(1, 10), 6 * hour / 100, TwoLooks},
		{"draining: ten went", old, 100 * time.Second, 10, nil, -10 * hour / 100, TwoLooks},
		{"nothing came in a second: the estimate says more", every(30, 40), time.Second, 0, nil, 120, OneLook},
		{"one came in a second: that is no 3600 an hour", every(30, 40), time.Second, 0, []float64{0.5}, 120, OneLook},
		{"one came in a second, and there is no estimate either", []float64{600}, time.Second, 0, []float64{0.5}, math.NaN(), OneLook},
		{"nothing came though three should have: measured", every(30, 40), 120 * time.Second, 0, nil, 0, TwoLooks},
		{"a single one stays a single one", []float64{600}, 5 * time.Second, 0, nil, 0, TwoLooks},
	} {
		t.Run(r.name, func(t *testing.T) {
			first := newWorld()
			first.aged(r.first...)
			second := first.later(r.interval)
			second.Sockets = second.Sockets[r.drop:]
			second.aged(r.came...)
			rep := second.since(first)
			i := slices.IndexFunc(rep.Findings, func(f Finding) bool { return f.Stuck })
			if i < 0 {
				t.Fatal(told(rep))
			}
			f := &rep.Findings[i]
			got := math.NaN()
			if f.GrowthPerHour != nil {
				got = *f.GrowthPerHour
			}
			if f.GrowthBasis != r.basis || math.IsNaN(got) != math.IsNaN(r.want) || math.Abs(got-r.want) > 1+math.Abs(r.want)/15 {
				t.Errorf("%v an hour (%s), want %v (%s)", got, f.GrowthBasis, r.want, r.basis)
			}
		})
	}
}

// measured returns the growth of the stuck finding of a cause. In these worlds
// the estimate is none: all came at once, ten minutes ago.
func measured(t *testing.T, r *Report, c Cause) float64 {
	t.Helper()
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Cause == c && f.Stuck {
			if f.GrowthPerHour == nil {
				t.Fatalf("%s: growth %v, %s", c, f.GrowthPerHour, f.GrowthBasis)
			}
			return *f.GrowthPerHour
		}
	}
	t.Fatalf("no %s: %s", c, told(r))
	return 0
}

func TestWhatCountsAsComeAndGone(t *testing.T) {
	const perHour = 36.0 // one in 100 s
	for _, r := range []struct {
		name  string
		build func(first, second *world) // the second begins as the first, 100 s later
		cause Cause
		want  float64
	}{
		{"stuck that turns masked has not gone: the descriptor is held", func(_, second *world) {
			for i := range 10 {
				second.Sockets[i].State = tcp.Closed
			}
		}, EOFUnread, 0},
		{"and masked has not come", func(_, second *world) {
			for i := range 10 {
				second.Sockets[i].State = tcp.Closed
			}
		}, Masked, 0},
		{"a masked one that was closed has gone", func(first, second *world) {
			for i := range 10 {
				first.Sockets[i].State = tcp.Closed
				second.Sockets[i].State = tcp.Closed
			}
			second.Sockets = second.Sockets[4:]
		}, Masked, -4 * perHour},
		{"what went was of another cause", func(first, second *world) {
			for i := range 10 {
				first.Sockets[i].RecvQ = 90000
				second.Sockets[i].RecvQ = 90000
			}
			second.Sockets = second.Sockets[5:]
			second.aged(every(1, 5)...)
		}, EOFUnread, 5 * perHour},
		{"what went led to another service on the same port", func(first, second *world) {
			for i := range 10 {
				remote("10.0.0.6:5000")(&first.Sockets[i])
				remote("10.0.0.6:5000")(&second.Sockets[i])
			}
			second.Sockets = second.Sockets[10:]
			second.aged(every(1, 5)...)
		}, EOFUnread, 5 * perHour},
		{"a worker that ended took its sockets along", func(first, second *world) {
			first.process(200, "/opt/app/bin/app")
			for i := range 10 {
				first.Sockets[i].Holders[0].PID = 200
			}
			second.Sockets = second.Sockets[10:]
		}, EOFUnread, -10 * perHour},
		{"a program that is no more has no finding to grow or to shrink", func(first, second *world) {
			first.process(200, "/bin/other")
			for i := range 10 {
				first.Sockets[i].Holders[0].PID = 200
			}
			second.Sockets = second.Sockets[10:]
			second.aged(every(1, 5)...)
		}, EOFUnread, 5 * perHour},
		{"without a cookie and an inode nothing can be recognised", func(_, second *world) {
			for range 10 {
				second.add(recvQ(1), noFile, noCookie, local("10.0.0.1:33000"))
			}
			for i := len(second.Sockets) - 10; i < len(second.Sockets); i++ {
				second.Sockets[i].Holders = []observe.Holder{{PID: appPID, FD: 9}}
			}
		}, EOFUnread, 0},
	} {
		t.Run(r.name, func(t *testing.T) {
			first := newWorld()
			first.aged(slices.Repeat([]float64{600}, 20)...)
			second := first.later(100 * time.Second)
			r.build(first, second)
			if got := measured(t, second.since(first), r.cause); math.Abs(got-r.want) > 1 {
				t.Errorf("%v an hour, want %v", got, r.want)
			}
		})
	}
}

func TestTornLooksMeasureNoGrowth(t *testing.T) {
	for _, which := range []int{0, 1} {
		looks := [2]*world{newWorld(), nil}
		looks[0].aged(slices.Repeat([]float64{600}, 20)...)
		looks[1] = looks[0].later(100 * time.Second)
		looks[1].Sockets = looks[1].Sockets[10:]
		looks[which].limit(observe.LimitTorn)
		if f := only(t, looks[1].since(looks[0])); f.GrowthBasis != OneLook {
			t.Errorf("look %d torn: growth is %s", which, f.GrowthBasis)
		}
	}
}

func TestManyServicesDrainTogether(t *testing.T) {
	first := newWorld()
	for i := range 40 {
		first.add(recvQ(1), remote("10.0.1."+strconv.Itoa(i)+":443"))
	}
	second := first.later(100 * time.Second)
	second.Sockets = second.Sockets[10:]
	if got := measured(t, second.since(first), EOFUnread); got != -360 {
		t.Errorf("%v an hour, want -360", got)
	}
}
