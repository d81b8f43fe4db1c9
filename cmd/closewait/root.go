package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// newRoot is the whole command tree. The root command itself is scan.
func newRoot(e *env) *cobra.Command {
	root := newScan(e, "closewait")
	root.Short = "Find and explain TCP connections that are stuck half-closed"
	root.Long = `closewait finds TCP connections that are stuck half-closed (CLOSE_WAIT and its
relatives) on this host, in every network namespace it may enter, and says for
each group of them who holds it and why, since when and how fast it grows,
whether it ends by itself, what runs out first, and what to do.

Called without a command it does what "closewait scan" does.` + statusHelp
	root.Example = `  sudo closewait                       # look once; the worst finding first
  closewait --interval 5s              # two looks: growth is measured, not estimated
  closewait --sockets --pid 2113       # every socket of one process's findings
  closewait explain eof-unread         # what a cause means and how to fix it
  closewait --check --cause masked     # for a health check: status 1 if any is stuck
  closewait --json | jq .totals        # for programs: docs/json.md`
	root.Version = versionText()
	root.SetVersionTemplate("{{.Version}}\n")
	root.Args = rootArgs
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{err, cmd.CommandPath()}
	})
	root.AddCommand(newScan(e, "scan"), newRun(e), newWatch(e), newExplain(e), newFix(e), newGuard(e), newDemo(e), newModel(e), newLab(e), newSensor(e), newVersion(e))
	return root
}

// rootArgs: a word after closewait that is no command is a mistake.
func rootArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	meant := ""
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		meant = ": did you mean " + strings.Join(near, " or ") + "?"
	}
	return &usageError{fmt.Errorf("unknown command %q%s", args[0], meant), cmd.CommandPath()}
}

// noArgs is the Args of commands that take flags only.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &usageError{fmt.Errorf("%s takes no argument, and got %q", cmd.Name(), args[0]), cmd.CommandPath()}
}
