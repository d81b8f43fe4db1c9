package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/docs/causes"
	"github.com/closewait/closewait/internal/report"
)

func newExplain(e *env) *cobra.Command {
	color := choice{"auto", []string{"auto", "always", "never"}}
	width := bounded{0, report.MinWidth, 1000}
	cmd := &cobra.Command{
		Use:   "explain [CAUSE]",
		Short: "Explain a cause: what it means, how to confirm it, how to fix it",
		Long: `explain shows the page of one cause: what it means, how it comes about, how to
confirm it, how to fix it in common languages and servers, whether it ends by
itself, and where it was seen in the field. Without a cause it lists them all.`,
		Example: `  closewait explain
  closewait explain eof-unread
  closewait explain masked | less`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{fmt.Errorf("one cause at a time, and got %q and %q", args[0], args[1]), cmd.CommandPath()}
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var all []string
			for _, p := range causes.List() {
				all = append(all, cobra.CompletionWithDesc(p.ID, p.Title))
			}
			return all, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			markdown := causeList()
			if len(args) == 1 {
				page, err := causes.Find(args[0])
				if err != nil {
					return &usageError{err, cmd.CommandPath()}
				}
				markdown = page.Markdown
			}
			if err := report.Page(e.out.w, markdown, e.out.style(color.value, width.value)); err != nil {
				return fmt.Errorf("write the page: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().Var(&color, "color", "when to use colour (auto: on a terminal without NO_COLOR)")
	cmd.Flags().Var(&width, "width", "columns to fit into (0: the terminal's, at most 100)")
	complete(cmd, "color", color.allowed)
	return cmd
}

// causeList is the page of explain without a cause.
func causeList() string {
	var b strings.Builder
	b.WriteString("# Why connections get stuck: the causes that closewait tells apart\n\n")
	for _, p := range causes.List() {
		fmt.Fprintf(&b, "- **%s**: %s\n", p.ID, p.Title)
	}
	b.WriteString("\n`closewait explain CAUSE` says more of one.\n")
	return b.String()
}
