package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/internal/explore"
	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/scenario"
)

// modelExplore is one run of the model explore command.
type modelExplore struct {
	*env
	profile, peer word
	find          word
	keepalive     choice
	finWait2      bool
	handshake     bool
	steps         bool

	octets, losses, duplicates, overtakings, late, faults, states bounded
	onlyRSTs                                                      bool
	calls                                                         list[explore.Calls]

	bounded func(name string) bool // whether a bound was given
}

// word is a choice among so many that a usage line had better not list them.
type word struct {
	choice
	kind string
}

func (w *word) Type() string { return w.kind }

func newModelExplore(e *env) *cobra.Command {
	m := &modelExplore{env: e}
	cmd := &cobra.Command{
		Use:   "explore",
		Short: "Search everything that applications, link and timers can do",
		Long: `explore tries everything that can happen between two connected endpoints: every
call of both applications, at any time or never; every fault of the link; every
order of the timers. It says how many states there are, that the search was
exhaustive within its bounds, whether every invariant holds, and what can happen
at all. --find prints the shortest story of one thing, for closewait model run:

` + questionList() + `
Times are small in the search, in their real order; a story has the real ones.
docs/model-explore.md says what this proves, and what the bounds leave out.

Exit status: 0 when every invariant holds, 1 when one is broken, 2 for a wrong
command line, 3 when the search could not be made, 130 when interrupted.`,
		Example: `  closewait model explore --find stuck-forever                 # C10: on Linux, nothing need be lost
  closewait model explore --find stuck-forever --profile xnu   # C14: only if a RST is lost
  closewait model explore --find both-closed > my.story
  closewait model explore --losses 3 --faults 3 --calls write,close,read`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m.bounded = cmd.Flags().Changed
			return m.run(cmd)
		},
	}
	m.bind(cmd)
	return cmd
}

// questionList is what --find takes, a line for each.
func questionList() string {
	var b strings.Builder
	for _, q := range explore.Questions() {
		fmt.Fprintf(&b, "  %-19s %s\n", q.Name, q.From)
	}
	return b.String()
}

func (m *modelExplore) bind(cmd *cobra.Command) {
	var questions []string
	for _, q := range explore.Questions() {
		questions = append(questions, q.Name)
	}
	m.profile = word{choice{"linux", profileNames()}, "stack"}
	m.peer = word{choice{"", profileNames()}, "stack"}
	m.find = word{choice{"", questions}, "question"}
	m.keepalive = choice{"default", []string{"default", "one", "both"}}
	m.octets = bounded{0, 0, 15}
	for _, b := range []*bounded{&m.losses, &m.duplicates, &m.overtakings, &m.late, &m.faults} {
		*b = bounded{0, 0, 200}
	}
	m.states = bounded{0, 0, math.MaxInt32 / 4}
	m.calls = list[explore.Calls]{kind: "calls", parse: explore.ParseCalls}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.Var(&m.profile, "profile", "the stack of both ends: "+strings.Join(profileNames(), ", "))
	fs.Var(&m.peer, "peer", "the stack of the second end, if it is another")
	fs.Var(&m.find, "find", "print the shortest story of this")
	fs.BoolVar(&m.steps, "steps", false, "print it segment by segment, as the search found it")
	fs.Var(&m.keepalive, "keepalive", "which applications set SO_KEEPALIVE")
	fs.BoolVar(&m.finWait2, "fin-wait-2", false, "turn on a FIN_WAIT_2 timer that is off by default (hpux)")
	fs.BoolVar(&m.handshake, "handshake", false, "begin before the first SYN")
	fs.Var(&m.octets, "octets", "how much each application writes at most (if not given: 1)")
	fs.Var(&m.losses, "losses", "how many segments the link loses at most (with none of this and the next four: one fault)")
	fs.BoolVar(&m.onlyRSTs, "only-rsts", false, "it loses no segment but RSTs")
	fs.Var(&m.duplicates, "duplicates", "how many it duplicates")
	fs.Var(&m.overtakings, "overtakings", "how many arrive before an older one")
	fs.Var(&m.late, "late", "for how many units of time it holds segments back")
	fs.Var(&m.faults, "faults", "how many faults it commits in all (0: no limit of its own)")
	fs.Var(&m.states, "states", "give up at so many states (0: 20 million)")
	fs.Var(&m.calls, "calls", "what applications may call: some of "+explore.AllCalls.String())
	for name, allowed := range map[string][]string{
		"profile": m.profile.allowed, "peer": m.peer.allowed, "find": m.find.allowed, "keepalive": m.keepalive.allowed,
	} {
		complete(cmd, name, allowed)
	}
}

// asked are the profiles that were asked for, with their real times.
func (m *modelExplore) asked() (p [2]model.Profile, err error) {
	for side, name := range [2]string{m.profile.value, m.peer.value} {
		if name == "" {
			name = m.profile.value
		}
		if p[side], err = profileNamed(name); err != nil {
			return p, err
		}
		if f := &p[side].FinWait2; m.finWait2 && f.Lasts == 0 {
			f.Lasts = model.Minute
		}
	}
	return p, nil
}

func (m *modelExplore) options(profiles [2]model.Profile) explore.Options {
	o := explore.Of(profiles[0])
	o.Profiles[1] = explore.Scaled(profiles[1])
	o.Handshake = m.handshake
	o.KeepAlive = [2]bool{m.keepalive.value != "default", m.keepalive.value == "both"}
	if slices.ContainsFunc([]string{"losses", "duplicates", "overtakings", "late", "faults"}, m.bounded) {
		o.Bounds = explore.Bounds{
			Octets: o.Bounds.Octets, Losses: uint8(m.losses.value), Duplicates: uint8(m.duplicates.value),
			Overtakings: uint8(m.overtakings.value), Late: uint8(m.late.value), Faults: uint8(m.faults.value),
		}
	}
	if m.bounded("octets") {
		o.Bounds.Octets = uint8(m.octets.value)
	}
	o.Bounds.OnlyRSTs = m.onlyRSTs
	o.Bounds.States = m.states.value
	for _, c := range m.calls.values {
		o.Bounds.Calls |= c
	}
	return o
}

func (m *modelExplore) run(cmd *cobra.Command) error {
	profiles, err := m.asked()
	if err != nil {
		return err
	}
	began := time.Now()
	r, err := explore.Explore(cmd.Context(), m.options(profiles))
	if err != nil {
		if cmd.Context().Err() != nil {
			return &interruptedError{"the search was not finished"}
		}
		return err
	}
	var b bytes.Buffer
	m.report(&b, r, profiles, time.Since(began))
	if _, err := m.out.w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if len(r.Violations) > 0 {
		return errUnexpected
	}
	return nil
}

// report is a story if one was asked for, with all that is no part of it in
// comments, so that it can be played.
func (m *modelExplore) report(b *bytes.Buffer, r *explore.Result, profiles [2]model.Profile, took time.Duration) {
	var lead bytes.Buffer
	stacks := profiles[0].Name
	if profiles[1].Name != profiles[0].Name {
		stacks += " and " + profiles[1].Name
	}
	fmt.Fprintf(&lead, "%s: %s states, %s transitions, %d deep, in %v (%.1f million a second).\n", stacks,
		thousands(r.States), thousands(r.Transitions), r.Depth, took.Round(10*time.Millisecond),
		float64(r.Transitions)/took.Seconds()/1e6)
	lead.WriteString(exhaustion(r))
	fmt.Fprintf(&lead, "%s\n", verdict(r))
	if m.find.value == "" {
		b.Write(lead.Bytes())
		m.violations(b, r)
		m.answers(b, r)
		return
	}
	a, _ := r.Answer(m.find.value)
	fmt.Fprintf(&lead, "%s: %s.\n", a.Question.Name, needs(a, r.Complete))
	if m.steps || a.Shortest() == nil || len(r.Violations) > 0 {
		b.Write(lead.Bytes())
		m.violations(b, r)
		if p := a.Shortest(); p != nil {
			fmt.Fprintf(b, "\n%s\n  time  %s\n%s", a.Question.Text, "what happens; then the states of local and remote", p.Steps())
		}
		return
	}
	m.story(b, &lead, r, a, profiles)
}

// story prints a story that has come true on the simulator; else its steps.
func (m *modelExplore) story(b, lead *bytes.Buffer, r *explore.Result, a *explore.Answer, profiles [2]model.Profile) {
	p := a.Shortest()
	s, ok := r.Story(a.Question.Text, p)
	if ok {
		hosts := [2]model.Profile{profiles[p.Local], profiles[1-p.Local]}
		played, err := scenario.Run(s, sim.NewEngine(sim.Options{Profiles: hosts}))
		ok = err == nil && played.Holds()
	}
	if !ok {
		b.Write(lead.Bytes())
		fmt.Fprintf(b, "\n%s\nIt hangs on what the link does from segment to segment, for which a story has no words:\n%s", a.Question.Text, p.Steps())
		return
	}
	title, rest, _ := strings.Cut(string(scenario.Format(s)), "\n")
	b.WriteString(title + "\n#\n")
	for line := range strings.Lines(lead.String()) {
		b.WriteString(strings.TrimRight("# "+line, " "))
	}
	b.WriteString(rest)
}

func (m *modelExplore) violations(b *bytes.Buffer, r *explore.Result) {
	for _, v := range r.Violations {
		fmt.Fprintf(b, "\nBROKEN %s (%s)\n%s\n%s", v.Invariant.Name, v.Invariant.From, v.Invariant.Text, v.Path.Steps())
	}
}

func (m *modelExplore) answers(b *bytes.Buffer, r *explore.Result) {
	b.WriteString("\n")
	for _, a := range r.Answers {
		fmt.Fprintf(b, "  %-19s %s\n", a.Question.Name, needs(&a, r.Complete))
	}
	b.WriteString("\n--find NAME tells the shortest story.\n")
}

// needs says what has to go wrong for something to happen.
func needs(a *explore.Answer, complete bool) string {
	switch {
	case a.NothingLost != nil:
		return "can happen with nothing lost"
	case a.NoResetLost != nil:
		return "can happen if something is lost, and be it no RST"
	case a.ResetLost != nil:
		return "can happen only if a RST is lost"
	case !complete:
		return "was not found in what was searched"
	}
	return "can not happen within these bounds"
}

// exhaustion says what was tried.
func exhaustion(r *explore.Result) string {
	var b strings.Builder
	switch {
	case !r.Complete:
		b.WriteString("NOT exhaustive: the bound on states ended the search. The bounds: ")
	case r.Cut > 0:
		fmt.Fprintf(&b, "Exhaustive, but for %s transitions with too much in flight. The bounds: ", thousands(r.Cut))
	default:
		b.WriteString("Exhaustive within these bounds: ")
	}
	o := r.Options.Bounds
	lost := "loss"
	if o.OnlyRSTs {
		lost = "loss of a RST"
	}
	fmt.Fprintf(&b, "each application writes %s at most;\n", plural(int(o.Octets), "octet"))
	fmt.Fprintf(&b, "the link's faults: %s", explored(o, lost))
	fmt.Fprintf(&b, ";\napplications call %s, in any order, at any time, or never.\n", strings.ReplaceAll(o.Calls.String(), ",", ", "))
	return b.String()
}

// explored lists the faults that the link may commit.
func explored(o explore.Bounds, lost string) string {
	var all []string
	for _, f := range []struct {
		n    uint8
		name string
	}{{o.Losses, lost}, {o.Duplicates, "duplicate"}, {o.Overtakings, "overtaking"}, {o.Late, "unit of delay"}} {
		if f.n > 0 {
			all = append(all, fmt.Sprintf("%s (%d)", f.name, f.n))
		}
	}
	switch {
	case all == nil:
		return "none"
	case o.Faults > 0:
		return fmt.Sprintf("%s; %d of these in all", strings.Join(all, ", "), o.Faults)
	}
	return strings.Join(all, ", ")
}

func verdict(r *explore.Result) string {
	all := len(explore.Invariants())
	if broken := len(r.Violations); broken > 0 {
		return fmt.Sprintf("%d of %d invariants are BROKEN.", broken, r.Checked)
	}
	if r.Checked < all {
		return fmt.Sprintf("%d invariants hold; %d were not checked, for they need a complete search in which applications can close.", r.Checked, all-r.Checked)
	}
	return fmt.Sprintf("All %d invariants hold.", all)
}

// thousands writes a number with commas between its thousands.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
