package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/internal/collect"
	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/remedy"
	"github.com/closewait/closewait/internal/report"
)

// guard is one run of the guard command.
type guard struct {
	*env
	file   string
	audit  string
	check  bool
	rounds bounded
	reader choice

	policy *remedy.Policy
	hand   *hand
	log    *audit
	unseen map[unseen]bool // limits that were told already
}

func newGuard(e *env) *cobra.Command {
	g := &guard{env: e}
	cmd := &cobra.Command{
		Use:   "guard --policy FILE",
		Short: "Apply a policy to stuck connections continuously",
		Long: `guard looks at this host again and again and applies a policy to what is stuck:
which connections, by what degree of fix, how many a minute, and only if their
process runs short of descriptors. It is a dry run unless the policy says
"apply: true". Each act is a line of JSON on standard output, and so is a
warning about a process that runs out of descriptors whatever the policy does.
docs/fix.md has the form of a policy and of the lines. Ctrl-C ends it.

A policy:

  apply: true
  every: 10s                          # between two looks
  rules:
    - name: horizon
      match: {program: "(wsgi:horizon)", cause: eof-unread}
      older-than: 5m
      degree: shutdown                # auto, room, keepalive, shutdown, destroy
      max-per-minute: 60
      only-if-open-files-above: 80%

Exit status: 0 when it was ended by Ctrl-C or SIGTERM; 2 for a wrong command line
or policy; 3 when it could not look, or not record what it did.`,
		Example: `  sudo closewait guard --policy horizon.yaml | tee guard.jsonl
  closewait guard --policy horizon.yaml --check      # is the file right?`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if g.file == "" {
				return &usageError{errors.New("--policy FILE is needed: it says what to do"), cmd.CommandPath()}
			}
			if err := g.read(); err != nil {
				return &usageError{err, cmd.CommandPath()}
			}
			if g.check {
				_, err := fmt.Fprintf(g.out.w, "%s is a policy of %s\n", g.file, plural(len(g.policy.Rules), "rule"))
				return err
			}
			return g.run(cmd.Context())
		},
	}
	g.rounds = bounded{0, 0, 1 << 30}
	g.reader = choice{"auto", []string{"auto", "bpf", "procfs"}}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&g.file, "policy", "", "the policy `file`, YAML (-: standard input)")
	fs.BoolVar(&g.check, "check", false, "only check the policy file")
	fs.Var(&g.rounds, "rounds", "stop after so many looks (0: not before Ctrl-C)")
	fs.StringVar(&g.audit, "audit", "", "append a line for each act to this `file` (root: "+rootAudit+")")
	fs.Var(&g.reader, "reader", "how to read the kernel's tables")
	complete(cmd, "reader", g.reader.allowed)
	return cmd
}

// unseen is something that can't be seen, whatever its numbers are this time.
type unseen struct {
	code  observe.LimitCode
	netns uint64
}

func (g *guard) read() error {
	in := g.in
	if g.file != "-" {
		f, err := os.Open(g.file)
		if err != nil {
			return fmt.Errorf("cannot read the policy: %w", err)
		}
		defer f.Close()
		in = f
	}
	p, err := remedy.ReadPolicy(in, matchPolicy)
	if err != nil {
		return fmt.Errorf("cannot use the policy %s: %w", g.file, err)
	}
	g.policy = p
	return nil
}

// matchPolicy reads a rule's match as scan's flags are read.
func matchPolicy(name, value string, into *diagnose.Filter) error {
	switch name {
	case "pid":
		return appendParsed(&into.PIDs, value, parsePID)
	case "port":
		return appendParsed(&into.Ports, value, parsePort)
	case "peer":
		return appendParsed(&into.Peers, value, parsePeer)
	case "state":
		return appendParsed(&into.States, value, parseState)
	case "cause":
		return appendParsed(&into.Causes, value, parseCause)
	case "container":
		return appendParsed(&into.Containers, value, parseName)
	case "netns":
		return appendParsed(&into.NetNS, value, parseName)
	}
	return fmt.Errorf("unknown match %q", name)
}

func appendParsed[T any](into *[]T, value string, parse func(string) (T, error)) error {
	v, err := parse(value)
	if err == nil {
		*into = append(*into, v)
	}
	return err
}

// run looks and acts until it is interrupted.
func (g *guard) run(ctx context.Context) error {
	g.hand, g.unseen = newHand(), map[unseen]bool{}
	defer g.hand.close()
	if g.policy.Apply {
		host, _ := os.Hostname()
		log, err := openAudit(g.audit, "guard --policy "+g.file, observe.Host{Name: host, BootID: bootID()})
		if err != nil {
			return err
		}
		defer func() { _ = log.close() }()
		g.log = log
	}
	if err := g.say(event{Event: "start", Policy: g.file, Apply: &g.policy.Apply, Rules: len(g.policy.Rules)}); err != nil {
		return err
	}
	watcher := remedy.NewGuard(g.policy)
	failed := 0
	for n := 1; ; n++ {
		begun := time.Now()
		snap, err := collect.Look(ctx, collect.Options{Reader: g.reader.value, Window: max(g.policy.Grace, time.Second)})
		switch {
		case ctx.Err() != nil:
			return g.say(event{Event: "stop"})
		case err != nil:
			if failed++; failed == mostFailures {
				return err
			}
			err = g.say(event{Event: "error", Text: err.Error()})
		default:
			failed = 0
			err = g.round(ctx, watcher, snap)
		}
		switch {
		case err != nil:
			return err
		case n == g.rounds.value:
			return g.say(event{Event: "stop"})
		}
		if wait(ctx, max(0, g.policy.Every-time.Since(begun))) != nil {
			return g.say(event{Event: "stop"})
		}
	}
}

// mostFailures is how many looks in a row may fail: one that fails by accident
// must not end a guard.
const mostFailures = 5

// round does what follows from one look.
func (g *guard) round(ctx context.Context, watcher *remedy.Guard, snap *observe.Snapshot) error {
	for _, l := range snap.Limits {
		if what := (unseen{l.Code, l.NetNS}); !g.unseen[what] {
			g.unseen[what] = true
			if err := g.say(event{Event: "limit", Text: l.Text}); err != nil {
				return err
			}
		}
	}
	round := watcher.Round(snap)
	for i := range round.Plans {
		if err := g.rule(ctx, &round.Plans[i]); err != nil {
			return err
		}
	}
	for i := range round.Warnings {
		if err := g.say(event{Event: "warning", Warning: &round.Warnings[i]}); err != nil {
			return err
		}
	}
	return nil
}

// rule tells one rule's acts and, if the policy says so, does them.
func (g *guard) rule(ctx context.Context, p *remedy.RulePlan) error {
	if p.Held > 0 {
		text := fmt.Sprintf("%d more acts wait: the rule allows %d a minute", p.Held, p.Rule.MaxPerMinute)
		if err := g.say(event{Event: "held", Rule: p.Rule.Name, Held: p.Held, Text: text}); err != nil {
			return err
		}
	}
	if p.Plan.Acts() == 0 {
		return nil
	}
	if !g.policy.Apply {
		for _, part := range p.Plan.Parts {
			for i := range part.Acts {
				if err := g.say(event{Event: "would", Rule: p.Rule.Name, Text: part.Why, Result: &remedy.Result{Act: &part.Acts[i]}}); err != nil {
					return err
				}
			}
		}
		return nil
	}
	runner := remedy.Runner{Hand: g.hand, Clock: wallClock{}, Record: g.log.record, Conclude: g.log.conclude, Settle: 500 * time.Millisecond}
	done, err := runner.Run(ctx, p.Plan)
	for i := range done.Results {
		if r := &done.Results[i]; r.Outcome != remedy.NotReached {
			err = errors.Join(err, g.say(event{Event: "act", Rule: p.Rule.Name, Result: r}))
		}
	}
	return err
}

// event is one line of guard's output.
type event struct {
	At     time.Time `json:"at"`
	Event  string    `json:"event"`
	Policy string    `json:"policy,omitempty"`
	Apply  *bool     `json:"apply,omitempty"`
	Rules  int       `json:"rules,omitempty"`
	Rule   string    `json:"rule,omitempty"`
	Held   int       `json:"held,omitempty"`
	Text   string    `json:"text,omitempty"`
	*remedy.Warning
	Result *remedy.Result `json:"result,omitempty"`
}

// say writes one line.
func (g *guard) say(e event) error {
	e.At = time.Now()
	if e.Warning != nil {
		e.Text = e.Warning.Text // both have one
	}
	if err := report.JSONLine(g.out.w, e); err != nil {
		return fmt.Errorf("write what was done: %w", err)
	}
	return nil
}
