package main

import (
	"strings"
	"testing"

	"github.com/closewait/closewait/docs/causes"
)

// A wrong command line: status 2, nothing on standard output, and a message that
// names the flag and what it takes.
func TestUsageErrors(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--reader foo", `"foo" for "--reader" flag: use auto, bpf or procfs`},
		{"--grace 5", `"--grace" flag: use a number and a unit`},
		{"--grace 1000h", `"--grace" flag: use 0 to 720h`},
		{"--interval -1s", `"--interval" flag: use 0 to 24h`},
		{"--pid x", `"--pid" flag: use a number from 1 to`},
		{"--pid 1,0", `"--pid" flag: use a number from 1 to`},
		{"--pid", `flag needs an argument: --pid`},
		{"--port 65536", `"--port" flag: use a number from 1 to 65535`},
		{"--peer nowhere", `"--peer" flag: use an address`},
		{"--state LISTEN", `"--state" flag: use CLOSE_WAIT, FIN_WAIT_1,`},
		{"--cause eof", `did you mean eof-unread or eof-ignored?`},
		{"--container ,", `"--container" flag: use a name`},
		{"--color maybe", `"--color" flag: use auto, always or never`},
		{"--width 5", `"--width" flag: use a number from 60`},
		{"--sokets", `unknown flag: --sokets (see closewait --help)`},
		{"scan --sokets", `unknown flag: --sokets (see closewait scan --help)`},
		{"scna", `unknown command "scna": did you mean scan?`},
		{"scan foo", `scan takes no argument, and got "foo"`},
		{"version x", `version takes no argument`},
		{"explain nope", `unknown cause "nope": the causes are never-accepted,`},
		{"explain a b", `one cause at a time`},
		{"--from x --save y", `--save needs a look at this host`},
		{"--from x --interval 1s", `--interval needs a look at this host`},
		{"--from x --reader bpf", `--reader needs a look at this host`},
		{"--save -", `--save needs a file name`},
		{"--from=", `--from needs a file name`},
	} {
		r := closewait(t, strings.Fields(c.args)...).want(t, exitUsage)
		if r.out != "" {
			t.Errorf("closewait %s writes to standard output: %s", c.args, r.out)
		}
		if !strings.HasPrefix(r.err, "closewait: ") || !strings.Contains(r.err, c.want) || !strings.Contains(r.err, "--help)") {
			t.Errorf("closewait %s says %q, want %q", c.args, r.err, c.want)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"--help", "help", "scan --help", "help scan"} {
		closewait(t, strings.Fields(args)...).want(t, exitOK).says(t, "Examples:", "Exit status: 0", "--from file", "--grace duration")
	}
	closewait(t, "explain", "--help").want(t, exitOK).says(t, "closewait explain eof-unread")
}

func TestExplain(t *testing.T) {
	list := closewait(t, "explain").want(t, exitOK)
	for _, p := range causes.List() {
		list.says(t, p.ID)
		r := closewait(t, "explain", p.ID).want(t, exitOK).says(t, "What it means", "Seen in the field")
		if strings.Contains(r.out, "\x1b") {
			t.Errorf("explain %s writes an escape sequence into a pipe", p.ID)
		}
	}
	if closewait(t, "explain", "EOF_Unread").out != closewait(t, "explain", "eof-unread").out {
		t.Error("another spelling shows another page")
	}
}

func TestVersion(t *testing.T) {
	r := closewait(t, "version").want(t, exitOK).says(t, "closewait ", " go1.", "/")
	if flag := closewait(t, "--version").want(t, exitOK); flag.out != r.out {
		t.Errorf("--version says %q, version %q", flag.out, r.out)
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := closewait(t, "completion", shell).want(t, exitOK); len(r.out) < 1000 {
			t.Errorf("completion %s is %d bytes", shell, len(r.out))
		}
	}
	for _, c := range []struct{ typed, want string }{
		{"--cause|eof", "eof-unread"},
		{"--cause|masked,send", "masked,send-blocked"},
		{"--state|FIN", "FIN_WAIT_2"},
		{"--reader|", "procfs"},
		{"scan|--color|", "never"},
		{"explain|", "orphan-draining"},
		{"exp", "explain"},
	} {
		args := append([]string{"__complete"}, strings.Split(c.typed, "|")...)
		closewait(t, args...).want(t, exitOK).says(t, c.want)
	}
}
