package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/model"
)

func newModel(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Play, search and check a model of TCP's end",
		Long: `model runs TCP as a pure function: a connection's state, what happens to it, and
what it does then, by RFC 9293 and by what particular stacks do differently. It
touches no socket and needs no privilege.`,
		Example: `  closewait model claims                  # what is true of which stack
  closewait model run c08-mask-1          # one story, as a diagram`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newModelRun(e), newModelExplore(e), newModelClaims(e), newModelScript(e))
	return cmd
}

// profileNames are the stacks that the model knows.
func profileNames() []string {
	var names []string
	for _, p := range model.Profiles() {
		names = append(names, p.Name)
	}
	return names
}

// profileNamed is a stack by its name.
func profileNamed(name string) (model.Profile, error) {
	p, ok := model.ProfileNamed(name)
	if !ok {
		return p, fmt.Errorf("no profile is called %q: use %s", name, oneOf(slices.Sorted(slices.Values(profileNames()))))
	}
	return p, nil
}

// stack is a flag that takes one profile's name.
type stack struct{ choice }

// Type is short: all the names would push the help off the screen.
func (*stack) Type() string { return "profile" }
