package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/misbehave"
)

// leakProgram is the program for a cause.
type leakProgram struct {
	cause diagnose.Cause
	kind  misbehave.Kind
}

// leaks has, for each cause, the commonest way to come by it.
var leaks = []leakProgram{
	{diagnose.NeverAccepted, misbehave.NeverAccepted},
	{diagnose.DataUnread, misbehave.DataUnread},
	{diagnose.EOFUnread, misbehave.EOFUnread},
	{diagnose.EOFIgnored, misbehave.EOFIgnored},
	{diagnose.HalfCloseInUse, misbehave.HalfCloseInUse},
	{diagnose.SendBlocked, misbehave.SendBlocked},
	{diagnose.Ownerless, misbehave.Ownerless},
	{diagnose.Masked, misbehave.MaskedWrite},
	{diagnose.PeerKeepsOpen, misbehave.PeerKeepsOpen},
	{diagnose.OrphanDraining, misbehave.OrphanDraining},
	{diagnose.FinUnacked, misbehave.FinUnacked},
}

// labLeak is one run of the lab leak command.
type labLeak struct {
	*env
	count   bounded
	keep    length
	every   length
	ipv6    bool
	workers bounded
}

func newLabLeak(e *env) *cobra.Command {
	l := &labLeak{env: e}
	var causes []string
	for _, k := range leaks {
		causes = append(causes, string(k.cause))
	}
	cmd := &cobra.Command{
		Use:   "leak CAUSE",
		Short: "Leak connections, to try the other commands on",
		Long: `leak starts a small real program that leaks connections over loopback in the way of
one cause, and ends it again. With --every it goes on leaking.

CAUSE is one of ` + strings.Join(causes, ", ") + `.
fin-unacked needs a peer that falls silent, and so CAP_NET_ADMIN.`,
		Example: `  closewait lab leak eof-unread --for 5m
  closewait lab leak masked --count 100 --every 200ms --for 2m`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && slices.Contains(causes, args[0]) {
				return nil
			}
			if len(args) == 1 {
				return &usageError{fmt.Errorf("no program leaks %q: CAUSE is %s", args[0], oneOf(causes)), cmd.CommandPath()}
			}
			return &usageError{fmt.Errorf("lab leak takes one cause, and got %d", len(args)), cmd.CommandPath()}
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return causes, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error { return l.run(cmd.Context(), args[0]) },
	}
	l.count = bounded{10, 1, 100_000}
	l.workers = bounded{1, 1, 64}
	l.keep = length{value: time.Minute, most: 24 * time.Hour}
	l.every = length{most: time.Hour}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.Var(&l.count, "count", "how many connections to leak at once")
	fs.Var(&l.keep, "for", "how long to keep them (at most 24h; Ctrl-C ends them)")
	fs.Var(&l.every, "every", "then leak one more each so often (0: none)")
	fs.Var(&l.workers, "workers", "over how many processes")
	fs.BoolVar(&l.ipv6, "ipv6", false, "over ::1 instead of 127.0.0.1")
	return cmd
}

func (l *labLeak) run(ctx context.Context, cause string) (err error) {
	at := slices.IndexFunc(leaks, func(x leakProgram) bool { return string(x.cause) == cause })
	done := l.err.progress(patience, "leaking… (Ctrl-C: stop)")
	p, err := misbehave.Start(ctx, misbehave.Spec{
		Kind: leaks[at].kind, Count: l.count.value, Workers: l.workers.value, IPv6: l.ipv6,
		Growth: l.every.value, Title: "(lab:" + cause + ")",
	})
	done()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	var pids []string
	for _, pid := range p.PIDs() {
		pids = append(pids, fmt.Sprint(pid))
	}
	fmt.Fprintf(l.out.w, `%s of cause %s, held by pid %s, for %v. Ctrl-C ends them. Try, in another terminal:
  closewait --grace 1s --pid %s
  closewait explain %s
`, plural(l.count.value, "connection"), cause, strings.Join(pids, ", "), l.keep.value, pids[0], cause)
	if err := wait(ctx, l.keep.value); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil // asked for
}
