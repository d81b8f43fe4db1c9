package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/privilege"
)

// leakyProgram is a shell command that leaks n connections and lives for some
// seconds.
func leakyProgram(t *testing.T, n int, seconds float64) []string {
	t.Helper()
	python := privilege.Program(t, "python3", "closewait run with a program that leaks")
	return []string{python, "-c", fmt.Sprintf(`
import os, socket, time
l = socket.create_server(("127.0.0.1", 0))
kept = []
for _ in range(%d):
    kept.append(socket.create_connection(l.getsockname()))
    l.accept()[0].close()
time.sleep(%g)
os._exit(0)  # so that the interpreter closes nothing
`, n, seconds)}
}

// runs is closewait run with a program.
func runs(t *testing.T, flags string, program ...string) result {
	t.Helper()
	return closewait(t, append(append(append([]string{"run"}, strings.Fields(flags)...), "--"), program...)...)
}

func (r result) tells(t *testing.T, texts ...string) result {
	t.Helper()
	result{out: r.err}.says(t, texts...)
	return r
}

// The program's own status says more than that it leaked.
func TestRunStatus(t *testing.T) {
	leak := leakyProgram(t, 3, 1)
	fail := []string{leak[0], leak[1], strings.Replace(leak[2], "os._exit(0)", "os._exit(7)", 1)}
	missing := filepath.Join(t.TempDir(), "missing")
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.WriteFile(closed, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		program []string
		want    int
		says    string
	}{
		{[]string{"true"}, 0, "no connection was left half-closed"},
		{[]string{"false"}, 1, "exit status 1: the program's own."},
		{[]string{"sh", "-c", "exit 42"}, 42, "exit status 42: the program's own."},
		{[]string{"sh", "-c", "kill -TERM $$"}, 143, "exit status 143: the program was ended by SIGTERM."},
		{leak, 1, "exit status 1: the program itself succeeded, but it leaked."},
		{fail, 7, "exit status 7: the program's own; it leaked as well."},
		{[]string{"no-such-program"}, 127, "executable file not found"},
		{[]string{missing}, 127, "no such file"},
		{[]string{closed}, 126, "permission denied"},
	} {
		runs(t, "", c.program...).want(t, c.want).tells(t, c.says)
	}
}

func TestRunUsage(t *testing.T) {
	for args, want := range map[string]string{
		"run":                      "run needs a command",
		"run --grace 1 -- true":    "use a number and a unit",
		"run --max-stuck x -- y":   "--max-stuck",
		"run --witness magic -- y": "use auto, sensor, poll or trace",
		"run --json - -- true":     "--json needs a file name: standard output is the program's",
		"run --junit - -- true":    "--junit needs a file name",
	} {
		if r := closewait(t, strings.Fields(args)...).want(t, exitUsage); !strings.Contains(r.err, want) {
			t.Errorf("%s: %q, want %q", args, r.err, want)
		}
	}
	// What follows the command is the command's, also without "--".
	if r := closewait(t, "run", "echo", "--grace", "x").want(t, exitOK); r.out != "--grace x\n" {
		t.Errorf("printed %q", r.out)
	}
}

// A report that can not be written is told before the program runs.
func TestRunReportsMustBeWritable(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	for _, flag := range []string{"--json", "--junit"} {
		runs(t, flag+" "+filepath.Join(t.TempDir(), "no", "folder"), "touch", ran).want(t, exitFailed).tells(t, "cannot write the report")
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the program ran")
	}
	runs(t, "--json /dev/full", "true").want(t, exitFailed).tells(t, "cannot write the report to /dev/full")
	runs(t, "--json /dev/full", "sh", "-c", "exit 5").want(t, 5).tells(t, "cannot write the report to /dev/full")
}

// One file can not hold both reports, whatever it is called.
func TestRunReportsNeedTwoFiles(t *testing.T) {
	dir := t.TempDir()
	file, ran := filepath.Join(dir, "out"), filepath.Join(dir, "ran")
	must(t, os.Symlink("out", filepath.Join(dir, "link")))
	must(t, os.Symlink(dir, filepath.Join(dir, "folder")))
	for _, there := range []bool{false, true} {
		if there {
			must(t, os.WriteFile(file, nil, 0o600))
		}
		for _, same := range []string{file, dir + "/./out", filepath.Join(dir, "link"), filepath.Join(dir, "folder", "out")} {
			runs(t, "--json "+file+" --junit "+same, "touch", ran).want(t, exitUsage).tells(t, "--json and --junit need two files")
		}
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the program ran")
	}
	runs(t, "--json /dev/null --junit /dev/null", "true").want(t, exitOK)
}

// A report is for whoever collects it: as open as the umask lets it be, or as the file
// was that it replaces.
func TestRunReportsAreAsOpenAsTheUmaskSays(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		umask string
		there os.FileMode
		want  os.FileMode
	}{{"022", 0, 0o644}, {"077", 0, 0o600}, {"002", 0, 0o664}, {"022", 0o640, 0o640}, {"077", 0o644, 0o644}} {
		file := filepath.Join(dir, fmt.Sprintf("%s-%o", c.umask, c.there))
		if c.there != 0 {
			must(t, os.WriteFile(file, nil, c.there))
			must(t, os.Chmod(file, c.there))
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", "umask "+c.umask+`; exec "$0" run --json "$1" --junit "$1.xml" -- true`, binary, file)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		info, err := os.Stat(file)
		must(t, err)
		if info.Mode() != c.want || info.Size() == 0 {
			t.Errorf("umask %s, over %v: %v of %d bytes, want %v", c.umask, c.there, info.Mode(), info.Size(), c.want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".closewait*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Standard input is the program's, standard output has nothing of ours.
func TestRunPassesItsStreams(t *testing.T) {
	r := closewaitIn(t, strings.NewReader("through\n"), "run", "--", "cat").want(t, exitOK)
	if r.out != "through\n" {
		t.Errorf("printed %q", r.out)
	}
	r = runs(t, "", "sh", "-c", "echo out; echo err >&2").want(t, exitOK)
	if r.out != "out\n" || !strings.HasPrefix(r.err, "err\nclosewait run: ") {
		t.Errorf("printed %q and %q", r.out, r.err)
	}
}

func TestRunWritesJUnit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "leaks.xml")
	for _, c := range []struct {
		program  []string
		failures int
	}{{[]string{"true"}, 0}, {leakyProgram(t, 2, 1), 1}} {
		runs(t, "--junit "+file, c.program...)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var suite struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Cases    []struct {
				Failure *struct{} `xml:"failure"`
			} `xml:"testcase"`
		}
		if err := xml.Unmarshal(text, &suite); err != nil || suite.Tests != 1 || suite.Failures != c.failures || len(suite.Cases) != 1 || (suite.Cases[0].Failure != nil) != (c.failures > 0) {
			t.Errorf("%v in\n%s", err, text)
		}
	}
}

// Signals sent to closewait are for the program, which may ignore them.
func TestRunForwardsSignals(t *testing.T) {
	for _, c := range []struct {
		script string
		signal syscall.Signal
		want   int
	}{
		{`trap "exit 9" TERM; echo ready; while :; do sleep 0.01; done`, syscall.SIGTERM, 9},
		{`trap "exit 8" INT; echo ready; while :; do sleep 0.01; done`, syscall.SIGINT, 8},
		{`trap "exit 6" USR1; echo ready; while :; do sleep 0.01; done`, syscall.SIGUSR1, 6},
		{`trap "" INT; echo ready; sleep 0.3; exit 3`, syscall.SIGINT, 3},
		{`echo ready; exec sleep 60`, syscall.SIGTERM, 143},
	} {
		cmd := command(t, "run", "--", "sh", "-c", c.script)
		// Without a terminal, and so that a signal for the group is none for us.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 16)); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(c.signal); err != nil {
			t.Fatal(err)
		}
		if got := status(t, cmd.Wait()); got != c.want {
			t.Errorf("%s and %v: status %d, want %d", c.script, c.signal, got, c.want)
		}
	}
}

// The program has the terminal, and what is typed there reaches it once.
func TestRunOnATerminal(t *testing.T) {
	s := onTerminal(t, 100, "NO_COLOR=1", "run", "--", "sh", "-c",
		`test -t 0 && test -t 1 && test -t 2 && echo "has a terminal"; n=0; trap 'n=$((n+1)); echo "interrupt $n"' INT
		 echo go; read x; echo "typed <$x>"; read y; echo "typed <$y>, $n interrupts"; exit 4`)
	s.await("has a terminal")
	s.await("go")
	s.enter("hello\n")
	s.await("typed <hello>")
	s.interrupt()
	s.await("interrupt 1")
	time.Sleep(50 * time.Millisecond) // for a second one, were there any
	s.enter("bye\n")
	text := s.end(4)
	if strings.Contains(text, "interrupt 2") || !strings.Contains(text, "closewait run: no connection was left half-closed.") {
		t.Errorf("shown %q", text)
	}
}

// enter types text.
func (s *screen) enter(text string) {
	s.t.Helper()
	if _, err := s.master.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// A leak on a terminal fits it.
func TestRunTextFits(t *testing.T) {
	for _, columns := range []uint16{72, 100} {
		text := onTerminal(t, columns, "NO_COLOR=1", append([]string{"run", "--"}, leakyProgram(t, 3, 1)...)...).end(exitStuck)
		for line := range strings.Lines(text) {
			if n := len([]rune(strings.TrimRight(line, "\r\n"))); n > int(columns) {
				t.Errorf("%d columns: a line of %d: %q", columns, n, line)
			}
		}
	}
}
