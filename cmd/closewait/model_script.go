package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closewait/closewait/internal/pkt"
)

// maxScriptFile is more than any script needs; what is longer is not read to its end.
const maxScriptFile = 1<<20 + 1

// modelScript is one run of the model script command.
type modelScript struct {
	*env
	profile choice
	defined []string
	verbose bool
}

func newModelScript(e *env) *cobra.Command {
	m := &modelScript{env: e, profile: choice{"linux", profileNames()}}
	cmd := &cobra.Command{
		Use:   "script FILE.pkt…",
		Short: "Judge the model by packetdrill scripts",
		Long: `script runs packetdrill scripts against the model, in virtual time, a line each:
pass, fail with what the script wanted and what it got, or unsupported with what
it uses that is not known here. A folder stands for all the *.pkt files below it.

The flags, sequence numbers, lengths, acknowledgments and times of what the model
sends are compared, what calls return, and states; that nothing else is sent, too.
The contents of TCP options, window values, and the values of socket options that
the model does not have, are not.

#ifdef finds the names of --define; without --define, the name that scripts use
for the profile's system (freebsd: FreeBSD; linux: Linux; xnu: Darwin;
rfc9293: STANDARD).

Exit status: 0 when no script failed, 1 when one did, 2 for a wrong command line,
3 when a file could not be read.`,
		Example: `  closewait model script close.pkt
  closewait model script --profile freebsd tcp-testsuite/state-event-engine
  closewait model script --verbose close.pkt   # every segment and call, with the state`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return nil
			}
			return &usageError{errors.New("model script wants files or folders"), cmd.CommandPath()}
		},
		RunE: func(_ *cobra.Command, args []string) error { return m.run(args) },
	}
	cmd.Flags().Var(&m.profile, "profile", "the stack that is judged")
	cmd.Flags().StringArrayVarP(&m.defined, "define", "D", nil, "define a name for #ifdef; repeat it for more")
	cmd.Flags().BoolVarP(&m.verbose, "verbose", "v", false, "show what happened, line by line, and what was ignored")
	complete(cmd, "profile", m.profile.allowed)
	return cmd
}

// systemNames are what scripts define for a profile's system.
func systemNames(profile string) []string {
	switch profile {
	case "freebsd":
		return []string{"FreeBSD"}
	case "linux":
		return []string{"Linux", "linux"}
	case "xnu":
		return []string{"Darwin"}
	case "rfc9293":
		return []string{"STANDARD"}
	}
	return nil
}

// run judges the model by every script.
func (m *modelScript) run(args []string) error {
	profile, err := profileNamed(m.profile.value)
	if err != nil {
		return err
	}
	files, err := scriptFiles(args)
	if err != nil {
		return err
	}
	c := pkt.Config{Profile: profile, Defined: m.defined, ReadFile: readScript, Trace: m.verbose}
	if len(m.defined) == 0 {
		c.Defined = systemNames(profile.Name)
	}
	out := bufio.NewWriter(m.out.w)
	t := tally{ignored: map[string]int{}}
	for _, name := range files {
		text, err := readScript(name)
		if err != nil {
			return fmt.Errorf("read the script: %w", err)
		}
		r := pkt.Judge(name, text, c)
		t.add(&r)
		m.show(out, &r)
	}
	t.write(out)
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	if t.verdicts[pkt.Fail] > 0 {
		return errUnexpected
	}
	return nil
}

// show writes one script's result.
func (m *modelScript) show(w io.Writer, r *pkt.Result) {
	fmt.Fprintln(w, r)
	if !m.verbose {
		return
	}
	for _, line := range r.Trace {
		fmt.Fprintln(w, "   ", line)
	}
	for _, what := range r.Ignored {
		fmt.Fprintln(w, "    ignored:", what)
	}
}

// tally counts results.
type tally struct {
	verdicts [3]int
	ignored  map[string]int
}

func (t *tally) add(r *pkt.Result) {
	t.verdicts[r.Verdict]++
	for _, what := range r.Ignored {
		t.ignored[what]++
	}
}

func (t *tally) write(w io.Writer) {
	total := t.verdicts[pkt.Pass] + t.verdicts[pkt.Fail] + t.verdicts[pkt.Unsupported]
	fmt.Fprintf(w, "\n%d scripts: %d pass, %d fail, %d unsupported\n", total,
		t.verdicts[pkt.Pass], t.verdicts[pkt.Fail], t.verdicts[pkt.Unsupported])
	fmt.Fprintln(w, "not compared: contents of TCP options, window values, values of socket options that the model does not have")
	if len(t.ignored) == 0 {
		return
	}
	var all []string
	for what := range t.ignored {
		all = append(all, what)
	}
	slices.Sort(all)
	fmt.Fprintln(w, "ignored, for the model does not have it: "+strings.Join(all, ", "))
}

// scriptFiles are the scripts that the arguments name, folders searched.
func scriptFiles(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		err := filepath.WalkDir(arg, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && (name == arg || filepath.Ext(name) == ".pkt") {
				files = append(files, name)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look for scripts: %w", err)
		}
	}
	return files, nil
}

// readScript reads a file, up to what a script may be long.
func readScript(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxScriptFile))
}
