package diagnose

import (
	"cmp"
	"slices"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// FullQueue is a listener whose accept queue is full: the kernel answers no new client
// (sk_acceptq_is_full). Its places may be taken by connections that exist no more: one
// that its client resets before it is accepted leaves every list, and keeps its place.
type FullQueue struct {
	Local string `json:"local"`
	NetNS NetNS  `json:"netns"`
	// PIDs are the processes that have the listener, and Title is the first one's.
	PIDs  []int  `json:"pids"`
	Title string `json:"title,omitempty"`
	// Waiting is the listener's Recv-Q, and Backlog its Send-Q.
	Waiting uint32 `json:"waiting"`
	Backlog uint32 `json:"backlog"`
}

// fullQueues lists those that no finding speaks of: in both looks, if there are two.
func fullQueues(v *view, verdicts []verdict, f Filter) []FullQueue {
	told := map[int32]bool{}
	for i := range verdicts {
		if d := &verdicts[i]; d.cause == NeverAccepted {
			told[d.listener] = true
		}
	}
	var out []FullQueue
	for i := range v.cur.Sockets {
		s := &v.cur.Sockets[i]
		if !queueFull(s) || told[int32(i)] || !f.keepsListener(v, s) {
			continue
		}
		if before := v.earlier(s); before != nil && !queueFull(before) {
			continue
		}
		q := FullQueue{Local: s.Local.String(), NetNS: netnsOf(v, s.NetNS), PIDs: []int{}, Waiting: s.RecvQ, Backlog: s.SendQ}
		for _, h := range s.Holders {
			if !slices.Contains(q.PIDs, int(h.PID)) {
				q.PIDs = append(q.PIDs, int(h.PID))
			}
		}
		slices.Sort(q.PIDs)
		for j := range v.cur.Processes {
			if p := &v.cur.Processes[j]; len(q.PIDs) > 0 && p.PID == q.PIDs[0] {
				q.Title = titleOf(p)
			}
		}
		out = append(out, q)
	}
	slices.SortFunc(out, func(a, b FullQueue) int {
		return cmp.Or(cmp.Compare(b.Waiting, a.Waiting), cmp.Compare(a.NetNS.ID, b.NetNS.ID), cmp.Compare(a.Local, b.Local))
	})
	return out
}

func queueFull(s *observe.Socket) bool { return s.State == tcp.Listen && s.RecvQ > s.SendQ }

// keepsListener: what a filter says of connections leaves their listener out, but for
// its port, its owner and its place.
func (f *Filter) keepsListener(v *view, s *observe.Socket) bool {
	if len(f.Peers)+len(f.States) > 0 || len(f.Causes) > 0 && !slices.Contains(f.Causes, NeverAccepted) {
		return false
	}
	narrowed := Filter{PIDs: f.PIDs, Ports: f.Ports, Containers: f.Containers, NetNS: f.NetNS}
	return narrowed.keeps(v, s, &verdict{cause: NeverAccepted, listener: -1, program: v.programs.ownerOf(s.Holders)})
}
