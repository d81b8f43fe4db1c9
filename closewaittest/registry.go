package closewaittest

import (
	"slices"
	"strings"
	"sync"
)

// identity names a socket for as long as the process lives: the kernel never
// uses a cookie twice. Where there are no cookies it is the inode number.
type identity struct{ cookie, inode uint64 }

// check is one Check, from its beginning to its end.
type check struct {
	name   string // the test's; "" for the whole binary
	began  int    // the order of beginnings and ends
	ended  int    // 0 while it runs
	before map[identity]bool
	after  map[identity]bool // once it has ended
}

// may reports whether the test may have made the socket: it was not there when
// the test began, and was there before the test ended.
func (c *check) may(id identity) bool {
	return !c.before[id] && (c.ended == 0 || c.after[id])
}

// above reports whether other is a subtest of c. What exists since the subtest
// began is the subtest's: its parent waits for it.
func (c *check) above(other *check) bool {
	return c != other && (c.name == "" || strings.HasPrefix(other.name, c.name+"/"))
}

// registry knows the checks under way, and those that ended while one of these
// was.
type registry struct {
	mu    sync.Mutex
	turn  int
	known []*check
	// list reads the process's sockets; nil means the function sockets.
	list func() ([]Socket, error)
}

// outcome is what is left at the end of a check.
type outcome struct {
	mine   []Socket // to be reported by this check
	others []Socket // those that another, which still runs, will report if need be
}

func (r *registry) sockets() ([]Socket, error) {
	if r.list != nil {
		return r.list()
	}
	return sockets()
}

func (r *registry) begin(name string) (*check, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all, err := r.sockets()
	if err != nil {
		return nil, err
	}
	r.turn++
	c := &check{name: name, began: r.turn, before: identities(all)}
	r.known = append(r.known, c)
	return c, nil
}

// look finds what c has left behind. With last set, or if there is nothing that c
// must report, c has ended with it.
func (r *registry) look(c *check, allow func(Socket) bool, last bool) (outcome, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all, err := r.sockets()
	if err != nil {
		r.end(c, nil)
		return outcome{}, err
	}
	var out outcome
	for _, s := range all {
		if !s.left() || !c.may(s.id) || allow != nil && allow(s) {
			continue
		}
		r.assign(c, s, &out)
	}
	if last || len(out.mine) == 0 {
		r.end(c, all)
	}
	return out, nil
}

// assign decides who answers for a socket that c may have made.
func (r *registry) assign(c *check, s Socket, out *outcome) {
	var who []*check
	for _, k := range r.known {
		if k.may(s.id) {
			who = append(who, k)
		}
	}
	who = slices.DeleteFunc(who, func(k *check) bool { return slices.ContainsFunc(who, k.above) })
	if !slices.Contains(who, c) {
		return // a subtest has answered for it
	}
	if len(who) > 1 {
		for _, k := range who {
			s.Candidates = append(s.Candidates, k.name)
		}
	}
	if slices.ContainsFunc(who, func(k *check) bool { return k != c && k.ended == 0 }) {
		out.others = append(out.others, s)
		return
	}
	out.mine = append(out.mine, s)
}

// end closes c, and forgets the checks that no running one has met.
func (r *registry) end(c *check, left []Socket) {
	r.turn++
	c.ended, c.after = r.turn, identities(left)
	first := r.turn
	for _, k := range r.known {
		if k.ended == 0 {
			first = min(first, k.began)
		}
	}
	r.known = slices.DeleteFunc(r.known, func(k *check) bool { return k.ended != 0 && k.ended <= first })
}

func identities(all []Socket) map[identity]bool {
	ids := make(map[identity]bool, len(all))
	for i := range all {
		ids[all[i].id] = true
	}
	return ids
}
