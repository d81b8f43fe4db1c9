package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/internal/lab"
	"github.com/closewait/closewait/internal/lab/netstack"
	"github.com/closewait/closewait/internal/report"
	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/scenario"
)

// The engines that a story can be played on.
const (
	engineModel    = "model"
	engineLinux    = "linux"
	engineNetstack = "netstack"
)

var engines = []string{engineModel, engineLinux, engineNetstack}

// labTable is one run of the lab command.
type labTable struct {
	*env
	json  bool
	page  string
	color choice
	width bounded
}

func newLab(e *env) *cobra.Command {
	l := &labTable{env: e}
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Try every claim about CLOSE_WAIT on this machine's own kernel",
		Long: `lab plays the stories that show the claims on this machine's own kernel: two private
network namespaces joined by a bridge in a third, where segments are lost exactly
where the story says. Beside it stand the model (with the linux profile) and
gVisor's netstack. A line for each claim says whether it holds on each, and how
long that took; then come the reasons, where a claim does not simply hold.

Nothing outside these namespaces is touched, and nothing stays behind, also after
kill -9. Without root it starts itself again in a user namespace, where the kernel
allows that. Minutes of the kernel's timers take seconds: the namespaces' own
settings shorten them, and "closewait lab run" says by how much.

Exit status: 0 when everything went as stated, 1 when anything differs, 2 for a
wrong command line, 3 when there can be no lab here.`,
		Example: `  sudo closewait lab                       # all claims; some seconds
  sudo closewait lab run c14               # one story, from the packets that crossed
  sudo closewait lab run my.story --pcap my.pcap
  closewait lab leak eof-unread --for 5m   # a live leak to try the other commands on`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return l.run(cmd.Context()) },
	}
	l.color = choice{"auto", []string{"auto", "always", "never"}}
	l.width = bounded{0, report.MinWidth, 1000}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.BoolVar(&l.json, "json", false, "write the table as JSON")
	fs.StringVar(&l.page, "page", "", "also write a page with the table and all diagrams into this `file` (Markdown)")
	fs.Var(&l.color, "color", "when to use colour (auto: on a terminal, unless NO_COLOR is set)")
	fs.Var(&l.width, "width", "columns to fit into (0: the terminal's, at most 100)")
	complete(cmd, "color", l.color.allowed)
	cmd.AddCommand(newLabRun(e), newLabDraw(e), newLabLeak(e))
	return cmd
}

func (l *labTable) run(ctx context.Context) error {
	if status, again, err := lab.Reenter(ctx); err != nil || again {
		return ended(status, err)
	}
	stories, err := scenario.Load()
	if err != nil {
		return err
	}
	t, err := l.experiment(ctx, stories)
	if err != nil {
		return err
	}
	table, err := t.table()
	if err != nil {
		return err
	}
	differs := anyFailed(table)
	callDifferences(table)
	if l.json {
		err = report.ClaimsJSON(l.out.w, table)
	} else {
		err = report.ClaimsText(l.out.w, table, l.out.style(l.color.value, l.width.value))
	}
	if err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	if l.page != "" {
		if err := t.write(l.page, table); err != nil {
			return err
		}
	}
	if differs {
		return errUnexpected
	}
	return nil
}

// ended is how a command ends that another process ran in its place.
func ended(status int, err error) error {
	if err != nil || status == exitOK {
		return err
	}
	return &statusError{status: status}
}

// experiment is what every engine made of every story.
type experiment struct {
	stories []*scenario.Story
	runs    map[string][]played // by engine, in the order of stories
}

// played is what one engine made of one story.
type played struct {
	result *scenario.Result // nil where the story is not about the engine
	notes  []string
	took   time.Duration
	err    error
}

// experiment plays the stories on all engines.
func (l *labTable) experiment(ctx context.Context, stories []*scenario.Story) (*experiment, error) {
	t := &experiment{stories: stories, runs: map[string][]played{}}
	for _, name := range []string{engineModel, engineNetstack} {
		t.runs[name] = make([]played, len(stories))
		for i, s := range stories {
			t.runs[name][i] = playAside(name, s)
		}
	}
	var about []int
	var ours []*scenario.Story
	for i, s := range stories {
		if s.About("linux-kernel", "linux") {
			about, ours = append(about, i), append(ours, s)
		}
	}
	t.runs[engineLinux] = make([]played, len(stories))
	var over atomic.Int32
	defer l.err.counting(0, 200*time.Millisecond, func() string {
		return fmt.Sprintf("playing stories on this kernel: %d of %d… (Ctrl-C: stop)", over.Load(), len(ours))
	})()
	err := lab.PlayAll(ctx, ours, lab.Options{}, 0, func(i int, r *lab.Run, err error) {
		over.Add(1)
		p := played{err: err}
		if r != nil {
			p.result, p.notes, p.took = r.Result, r.Notes, r.Took
		}
		t.runs[engineLinux][about[i]] = p
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// playAside plays a story on an engine that needs no kernel.
func playAside(engine string, s *scenario.Story) (p played) {
	begun := time.Now()
	switch engine {
	case engineModel:
		if s.About("linux") {
			profile, _ := profileNamed("linux")
			p.result, p.err = sim.Play(s, profile)
		}
	case engineNetstack:
		if s.About("gvisor-netstack", "gvisor") {
			p.result, p.err = netstack.Play(s)
		}
	}
	p.took = time.Since(begun)
	return p
}

func (t *experiment) table() (*report.Claims, error) {
	return tableOf(t.stories, engines, func(s *scenario.Story, column int) (report.ClaimCell, error) {
		name := engines[column]
		p := t.runs[name][slices.Index(t.stories, s)]
		if p.result == nil && p.err == nil {
			return report.ClaimCell{Column: name, Stories: []string{}}, nil
		}
		cell, err := cellOf(name, s, p.result, p.err)
		if err != nil {
			return cell, fmt.Errorf("play %s on %s: %w", strings.TrimSuffix(s.File, ".story"), name, err)
		}
		cell.TookMS = float64(p.took) / float64(time.Millisecond)
		return cell, nil
	})
}

// callDifferences says "differs" where a model's table says "failed": neither
// engine is the measure of the other.
func callDifferences(c *report.Claims) {
	for _, rows := range [][]report.ClaimRow{c.Rows, c.Corrections} {
		for i := range rows {
			for j := range rows[i].Cells {
				if cell := &rows[i].Cells[j]; cell.Verdict == report.VerdictFailed {
					cell.Verdict = report.VerdictDiffers
				}
			}
		}
	}
}

// write makes the page.
func (t *experiment) write(name string, table *report.Claims) error {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	err = report.ClaimsPage(f, &report.ClaimsBook{Claims: *table, On: kernelName(), Ladders: t.ladders()})
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// ladders are the diagrams of what really crossed the link, or where a story is
// not about this kernel, of what did on another engine.
func (t *experiment) ladders() []report.ClaimLadder {
	var out []report.ClaimLadder
	for i, s := range t.stories {
		for _, name := range []string{engineLinux, engineNetstack, engineModel} {
			p := t.runs[name][i]
			if p.result == nil || p.err != nil {
				continue
			}
			out = append(out, report.ClaimLadder{
				Story: strings.TrimSuffix(s.File, ".story"), Engine: engineName(p.result), Ladder: ladderOf(p.result), Notes: p.notes,
			})
			break
		}
	}
	return out
}

// kernelName is "Linux 6.18.44".
func kernelName() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "Linux"
	}
	// What follows the dash is the builder's own.
	version, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-")
	return "Linux " + version
}
