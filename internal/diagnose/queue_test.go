package diagnose

import (
	"slices"
	"testing"
	"time"
)

func TestFullQueues(t *testing.T) {
	for name, r := range map[string]struct {
		build  func(w *world)
		filter Filter
		want   []string
	}{
		"full, and nothing half-closed waits": {
			build: func(w *world) { w.listen("0.0.0.0:8080", 6, 5, appPID) }, want: []string{"0.0.0.0:8080"}},
		"as many as the backlog says: one more is let in": {
			build: func(w *world) { w.listen("0.0.0.0:8080", 5, 5, appPID) }},
		"a finding speaks of it": {
			build: func(w *world) { w.listen("0.0.0.0:8080", 6, 5, appPID); w.add(toPort, noFile) }},
		"the longest first": {
			build: func(w *world) {
				w.listen("0.0.0.0:8080", 6, 5, appPID)
				w.listen("0.0.0.0:8081", 60, 50, appPID)
			}, want: []string{"0.0.0.0:8081", "0.0.0.0:8080"}},
		"of its port": {
			build:  func(w *world) { w.listen("0.0.0.0:8080", 6, 5, appPID); w.listen("0.0.0.0:8081", 6, 5, appPID) },
			filter: Filter{Ports: []uint16{8081}}, want: []string{"0.0.0.0:8081"}},
		"of another process": {
			build: func(w *world) { w.listen("0.0.0.0:8080", 6, 5, appPID) }, filter: Filter{PIDs: []int{1}}},
		"who asks for a peer asks for no listener": {
			build: func(w *world) { w.listen("0.0.0.0:8080", 6, 5, appPID) }, filter: Filter{Peers: []Peer{{}}}},
		"nor does who asks for another cause": {
			build: func(w *world) { w.listen("0.0.0.0:8080", 6, 5, appPID) }, filter: Filter{Causes: []Cause{EOFUnread}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			r.build(w)
			var got []string
			for _, q := range Diagnose(nil, &w.Snapshot, Options{Filter: r.filter}).FullQueues {
				got = append(got, q.Local)
				if !slices.Equal(q.PIDs, []int{appPID}) || q.Title == "" || q.Waiting <= q.Backlog {
					t.Errorf("%+v", q)
				}
			}
			if !slices.Equal(got, r.want) {
				t.Errorf("%q, want %q", got, r.want)
			}
		})
	}
}

// A queue that was not full at the first look is a moment's.
func TestAMomentsFullQueueIsNone(t *testing.T) {
	first := newWorld()
	l := first.listen("0.0.0.0:8080", 2, 5, appPID)
	second := first.later(time.Second)
	second.Sockets[0].RecvQ = 6
	if q := Diagnose(&first.Snapshot, &second.Snapshot, Options{}).FullQueues; len(q) != 0 {
		t.Errorf("%+v", q)
	}
	l.RecvQ = 6
	if q := Diagnose(&first.Snapshot, &second.Snapshot, Options{}).FullQueues; len(q) != 1 {
		t.Errorf("full at both looks: %+v", q)
	}
}
