package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/privilege"
)

// pane is a real terminal (tmux) with the watch on it.
type pane struct {
	t    *testing.T
	tmux string
	dir  string // has its socket, by a relative name: a socket's path must be short
	pid  string // file that the command's pid is written to
}

// onTmux starts the command on a terminal of a size, after a line "BEFORE". When it
// ends, a line says "EXIT" and its status.
func onTmux(t *testing.T, columns, rows int, env string, args ...string) *pane {
	t.Helper()
	p := &pane{t: t, tmux: privilege.Program(t, "tmux", "the screen on a real terminal"), dir: t.TempDir()}
	p.pid = filepath.Join(p.dir, "pid")
	script := fmt.Sprintf("echo BEFORE; %s sh -c 'echo $$ >%s; exec \"$0\" \"$@\"' %s watch %s; echo EXIT $?; stty -a | grep -o ' echo '; sleep 60",
		env, p.pid, binary, strings.Join(args, " "))
	p.run("-f", "/dev/null", "new-session", "-d", "-s", "w", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(rows), script)
	t.Cleanup(func() {
		// The server, and with it what runs in it, is this test's own.
		cmd := exec.Command(p.tmux, "-S", "s", "kill-server")
		cmd.Dir = p.dir
		_ = cmd.Run()
	})
	return p
}

func (p *pane) run(args ...string) string {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), p.tmux, append([]string{"-S", "s"}, args...)...)
	cmd.Dir = p.dir
	// Without SHELL, tmux takes the account's, and that of nobody lets nobody in.
	cmd.Env = append(os.Environ(), "SHELL=/bin/sh", "LC_ALL=C.UTF-8", "TERM=xterm-256color", "NO_COLOR=", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func (p *pane) keys(keys ...string) {
	p.t.Helper()
	p.run(append([]string{"send-keys", "-t", "w"}, keys...)...)
}

// shown is the screen; with escapes, if colours are wanted.
func (p *pane) shown(more ...string) string {
	p.t.Helper()
	return p.run(append([]string{"capture-pane", "-p", "-t", "w"}, more...)...)
}

// await waits until the screen shows all of these, and returns it.
func (p *pane) await(texts ...string) string {
	p.t.Helper()
	return p.until(fmt.Sprintf("%q", texts), func(screen string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(screen, text) })
	})
}

func (p *pane) until(what string, is func(screen string) bool) string {
	p.t.Helper()
	screen := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if screen = p.shown(); is(screen) {
			return screen
		}
	}
	p.t.Fatalf("not within a minute: %s; shown:\n%s", what, screen)
	return ""
}

// leakingPool starts a program that leaks n connections under a title of its own.
func leakingPool(t *testing.T, title string, n int) (p *misbehave.Program, flags []string) {
	t.Helper()
	p, err := misbehave.Start(t.Context(), misbehave.Spec{Kind: misbehave.EOFUnread, Count: n, Title: title})
	must(t, err)
	t.Cleanup(func() { _ = p.Stop() })
	return p, []string{"--port", strconv.Itoa(int(p.Service().Port())), "--interval", "200ms", "--grace", "1s"}
}

// counts reports whether the row of a title shows a number of connections.
func counts(title string, n int) func(string) bool {
	return func(screen string) bool {
		for line := range strings.Lines(screen) {
			if strings.Contains(line, title) && strings.Contains(line, fmt.Sprintf(" %6d ", n)) {
				return true
			}
		}
		return false
	}
}

func TestWatchScreen(t *testing.T) {
	const title = "(screen:pool)"
	program, flags := leakingPool(t, title, 3)
	p := onTmux(t, 100, 30, "", flags...)
	p.await("closewait watch", "STUCK", "eof-unread", "EVENTS", "q quit")
	p.until("3 connections", counts(title, 3))

	// It follows a leak that grows.
	must(t, program.More(2))
	p.until("5 connections", counts(title, 5))
	p.await("fin-received")

	// Filter and order.
	p.keys("/", "n", "o", "w", "h", "e", "r", "e")
	p.await("filter: nowhere", "Nothing matches")
	p.keys("Escape")
	p.await(title, "q quit")
	p.keys("/", "p", "o", "o", "l", "Enter")
	p.await("(filter: pool)", title)
	p.keys("Escape")
	p.until("no filter", func(s string) bool { return !strings.Contains(s, "(filter:") })
	for _, order := range []string{"by count", "by growth", "by age", "by owner"} {
		p.keys("s")
		p.await(order)
	}
}

func TestWatchScreenOpensAFinding(t *testing.T) {
	const title = "(screen:open)"
	program, flags := leakingPool(t, title, 3)
	p := onTmux(t, 100, 40, "", flags...)
	p.until("3 connections", counts(title, 3))
	p.keys("/", "o", "p", "e", "n", "Enter") // the peers' sockets are findings, too
	p.await("(filter: open)")
	p.keys("Enter")
	p.await("holds 3 connections", "eof-unread", "seen", "since", "ends", "trend", "ages", "LOCAL", "RECV-Q", "esc back")
	p.keys("Down", "Down")
	p.await("› 127.0.0.1:")
	p.keys("Enter")
	p.await("FIN|ACK", "CLOSE_WAIT", "FIN_WAIT_2", "evidence")
	p.keys("Escape")
	p.await("LOCAL", "RECV-Q")
	must(t, program.CloseAll())
	p.await("This finding is no more")
	p.keys("Escape")
	p.await("EVENTS", "ended")
}

func TestWatchScreenPauses(t *testing.T) {
	const title = "(screen:pause)"
	program, flags := leakingPool(t, title, 3)
	p := onTmux(t, 100, 30, "", flags...)
	p.until("3 connections", counts(title, 3))
	p.keys("p")
	before := p.await("PAUSED")
	// A screen may be caught while it is drawn.
	p.until("a screen that stands still", func(screen string) bool {
		was := before
		before = screen
		return screen == was
	})
	must(t, program.More(4))
	// Long enough for some looks: the picture may not change, and so nothing tells.
	time.Sleep(time.Second)
	if now := p.shown(); now != before {
		t.Errorf("paused, it changed from\n%s\nto\n%s", before, now)
	}
	p.keys("p")
	p.until("7 connections", counts(title, 7))
	p.keys("?")
	p.await("ctrl+z", "any key: back")
	p.keys("x")
	p.await("EVENTS")
}

// Whatever the size, no line is too long and the keys stand below.
func TestWatchScreenFitsAnySize(t *testing.T) {
	const title = "(screen:sizes)"
	_, flags := leakingPool(t, title, 3)
	p := onTmux(t, 80, 24, "", flags...)
	p.await(title, "EVENTS")
	for _, size := range []struct{ columns, rows int }{{80, 24}, {200, 50}, {60, 16}, {40, 10}, {20, 5}, {80, 24}} {
		p.run("resize-window", "-t", "w", "-x", strconv.Itoa(size.columns), "-y", strconv.Itoa(size.rows))
		foot := "↑↓ select"
		p.until(fmt.Sprintf("%d×%d", size.columns, size.rows), func(s string) bool {
			lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
			return len(lines) == size.rows && strings.HasPrefix(lines[size.rows-1], foot) && strings.HasPrefix(lines[0], "closewait")
		})
		for line := range strings.Lines(p.shown()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > size.columns {
				t.Errorf("%d columns, and a line of %d: %s", size.columns, n, line)
			}
		}
	}
	if screen := p.await(title); !strings.Contains(screen, "eof-unread") {
		t.Errorf("at 80 columns:\n%s", screen)
	}
}

func TestWatchScreenColour(t *testing.T) {
	_, flags := leakingPool(t, "(screen:colour)", 2)
	for env, want := range map[string]bool{"NO_COLOR=": true, "NO_COLOR=1": false} {
		p := onTmux(t, 90, 24, env, flags...)
		p.await("(screen:colour)", "EVENTS")
		if got := strings.Contains(p.shown("-e"), "\x1b["); got != want {
			t.Errorf("%s: colour %v, want %v", env, got, want)
		}
	}
}

// However it ends, the terminal is as it was.
func TestWatchScreenLeavesTheTerminalAsItWas(t *testing.T) {
	_, flags := leakingPool(t, "(screen:end)", 2)
	for name, end := range map[string]func(p *pane){
		"q":      func(p *pane) { p.keys("q") },
		"ctrl+c": func(p *pane) { p.keys("C-c") },
		"SIGTERM": func(p *pane) {
			text, err := os.ReadFile(p.pid)
			must(p.t, err)
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			must(p.t, err)
			must(p.t, syscall.Kill(pid, syscall.SIGTERM))
		},
		"after a resize": func(p *pane) {
			p.run("resize-window", "-t", "w", "-x", "120", "-y", "40")
			p.until("the new size", func(s string) bool { return strings.Count(s, "\n") >= 40 && strings.Contains(s, "q quit") })
			p.keys("q")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := onTmux(t, 90, 24, "", flags...)
			p.await("(screen:end)", "EVENTS")
			end(p)
			screen := p.await("EXIT ", " echo\n")
			if !strings.HasPrefix(screen, "BEFORE\nEXIT 0\n echo\n") {
				t.Errorf("left behind:\n%s", screen)
			}
		})
	}
}

// Keys come from the terminal also where standard input is something else.
func TestWatchScreenWithoutStandardInput(t *testing.T) {
	p := onTmux(t, 90, 24, "", "--port", "1", "--interval", "200ms", "</dev/null")
	p.await("Nothing half-closed matches --port 1.", "EVENTS")
	p.keys("q")
	p.await("EXIT 0")
}

// A terminal that takes no escape sequences gets events.
func TestWatchOnADumbTerminalPrintsEvents(t *testing.T) {
	s := onTerminal(t, 100, "TERM=dumb", "watch", "--interval", "200ms", "--sensor", "never", "--port", "1")
	s.await("began")
	must(t, s.cmd.Process.Signal(syscall.SIGTERM))
	text := s.end(exitOK)
	if !strings.Contains(text, "began") || strings.Contains(text, "\x1b") {
		t.Errorf("%q", text)
	}
}

// The terminal's library would run the tmux of PATH to learn its colours: run as
// root, that must not happen.
func TestWatchExecutesNothing(t *testing.T) {
	dir := t.TempDir()
	ran := filepath.Join(dir, "ran")
	for _, name := range []string{"tmux", "infocmp", "tput", "sh"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho \"$0\" >>"+ran+"\n"), 0o755))
	}
	t.Setenv("PATH", dir)
	t.Setenv("TMUX", "/tmp/tmux-0/default,1,0")
	t.Setenv("TTY_FORCE", "1")
	for _, term := range []string{"TERM=tmux-256color", "TERM=xterm"} {
		s := onTerminal(t, 100, term, "watch", "--interval", "200ms", "--port", "1")
		s.await("STUCK")
		must(t, s.cmd.Process.Signal(syscall.SIGTERM))
		s.end(exitOK)
	}
	if text, err := os.ReadFile(ran); err == nil {
		t.Errorf("executed: %s", text)
	}
}
