package remedy

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
)

// Make plans what to do about the stuck findings of r, which must be the diagnosis
// of cur with its sockets listed (diagnose.Options.Sockets). Prev, an earlier look,
// or nil, tells how fast processes open descriptors.
func Make(prev, cur *observe.Snapshot, r *diagnose.Report, o Options) *Plan {
	if o.Degree == "" {
		o.Degree = Auto
	}
	o.Probes = o.Probes.withDefaults()
	pl := &planner{
		options: o, now: cur.TakenAt, peers: newPeers(cur), sockets: map[uint64]*observe.Socket{},
		rooms: newRooms(prev, cur, r, &o), given: map[int]bool{},
	}
	for i := range cur.Sockets {
		s := &cur.Sockets[i]
		// A Multipath TCP socket that was accepted has its listener's cookie.
		if s.Cookie != 0 && (!s.MPTCP || pl.sockets[s.Cookie] == nil) {
			pl.sockets[s.Cookie] = s
		}
	}
	p := &Plan{
		Schema: Schema, Host: r.Host, TakenAt: r.TakenAt, IntervalS: r.IntervalS, GraceS: r.GraceS,
		Degree: o.Degree, Complete: r.Complete, Limits: r.Limits, Parts: []Part{},
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		switch {
		case !o.wants(f):
		case !f.Stuck:
			p.NotStuck += f.Count
		default:
			p.Parts = append(p.Parts, pl.finding(f)...)
		}
	}
	return p
}

func (o *Options) wants(f *diagnose.Finding) bool {
	if len(o.IDs) > 0 && !slices.Contains(o.IDs, f.ID) {
		return false
	}
	return len(o.Programs) == 0 || f.Owner != nil && slices.ContainsFunc(o.Programs, func(name string) bool {
		return name == f.Owner.Title || name == f.Owner.Comm || name == path.Base(f.Owner.Exe)
	})
}

// planner is one Make under way.
type planner struct {
	options Options
	now     time.Time
	peers   peers
	sockets map[uint64]*observe.Socket // by cookie
	rooms   rooms
	planned int          // acts on sockets so far, against Options.Limit
	given   map[int]bool // processes that get room already
}

// finding makes the parts of one finding.
func (pl *planner) finding(f *diagnose.Finding) []Part {
	switch {
	case pl.options.Degree == Room:
		return []Part{pl.room(f)}
	case f.Cause == diagnose.Masked:
		return []Part{pl.masked(f)}
	}
	return pl.connections(f)
}

// connections parts the finding's sockets by what is to be done about them.
func (pl *planner) connections(f *diagnose.Finding) []Part {
	var parts []Part
	index := map[choice]int{}
	for i := range f.Sockets {
		d := &f.Sockets[i]
		c := pl.candidate(f, d)
		what := c.choose()
		switch {
		case what.degree == "":
		case d.Age.AtLeastS < pl.options.OlderThan.Seconds():
			what = leave("not known to be older than " + span(pl.options.OlderThan))
		case pl.options.Limit > 0 && pl.planned >= pl.options.Limit:
			what = leave("beyond the limit of " + strconv.Itoa(pl.options.Limit))
		}
		at, ok := index[what]
		if !ok {
			at = len(parts)
			index[what] = at
			parts = append(parts, pl.part(f, &c, what))
		}
		parts[at].Count++
		if what.degree != "" {
			pl.planned++
			parts[at].Acts = append(parts[at].Acts, pl.act(f, &c, what.degree))
		}
	}
	slices.SortStableFunc(parts, func(a, b Part) int { return cmp.Compare(bool01(a.Degree == ""), bool01(b.Degree == "")) })
	return parts
}

func bool01(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (pl *planner) candidate(f *diagnose.Finding, d *diagnose.SocketDetail) candidate {
	c := candidate{finding: f, detail: d, options: &pl.options, now: pl.now}
	// No cookie is zero, which finds nothing; one that is not a number neither.
	cookie, _ := strconv.ParseUint(d.Cookie, 16, 64)
	if c.seen = pl.sockets[cookie]; c.seen != nil {
		c.peer, _ = pl.peers.of(c.seen)
	}
	return c
}

func (pl *planner) part(f *diagnose.Finding, c *candidate, what choice) Part {
	p := Part{Subject: subjectOf(f), Degree: what.degree, Why: what.why}
	if what.degree != "" {
		p.When, p.Frees = whenOf(what.degree, c), freesOf(what.degree, c)
	}
	if c.seen != nil && c.untouchable() == "" {
		p.Others = pl.others(f, c, what.degree)
	}
	if f.Cause == diagnose.NeverAccepted || what.degree == "" && f.Cause == diagnose.Ownerless {
		p.Instead = f.Advice.Fix
	}
	return p
}

// others says what the other degrees would do.
func (pl *planner) others(f *diagnose.Finding, c *candidate, taken Degree) []Choice {
	var all []Choice
	if room, ok := pl.rooms.tightest(f); ok {
		all = append(all, Choice{Room, room.To > room.Soft, room.text(pl.now)})
	}
	for _, d := range degrees[1:] {
		if d == taken {
			continue
		}
		can, why := c.can(d)
		if can {
			why = whenOf(d, c)
		}
		all = append(all, Choice{d, can, why})
	}
	return all
}

func (pl *planner) act(f *diagnose.Finding, c *candidate, d Degree) Act {
	s := c.seen
	target := &Socket{
		Cookie: s.Cookie, Name: strconv.FormatUint(s.Cookie, 16), NetNS: s.NetNS, Inode: s.Inode, Local: s.Local, Remote: s.Remote,
		State: s.State, RecvQ: s.RecvQ, SendQ: s.SendQ, Age: c.detail.Age, Unaccepted: f.Cause == diagnose.NeverAccepted,
	}
	if s.Info != nil {
		target.Sent, target.Acked, target.Recvd = s.Info.BytesSent, s.Info.BytesAcked, s.Info.BytesReceived
	}
	for _, h := range s.Holders {
		if p := pl.rooms.processes[int(h.PID)]; p != nil {
			target.Holders = append(target.Holders, Holder{PID: int(h.PID), FD: int(h.FD), StartTicks: p.StartTicks})
		}
	}
	a := Act{Degree: d, Finding: f.ID, Cause: f.Cause, Socket: target}
	if d == KeepAlive {
		a.Probes = &pl.options.Probes
	}
	return a
}
