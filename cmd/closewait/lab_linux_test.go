package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/report"
)

var updateClaims = flag.Bool("update-claims", false, "rewrite docs/claims.md from a run of the lab")

const claimsPage = "../../docs/claims.md"

// All that the thread claims, and what was corrected since, is so on this kernel;
// and the page that says so is what a run writes today.
func TestLabShowsEveryClaim(t *testing.T) {
	privilege.Need(t, "the claims on this kernel")
	page := filepath.Join(t.TempDir(), "claims.md")
	out := closewait(t, "lab", "--page", page).want(t, exitOK).out
	for n, line := range strings.Split(out, "\n")[1:15] {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != fmt.Sprint("C", n+1) || strings.Contains(line, "differs") {
			t.Errorf("line of C%d: %q", n+1, line)
		}
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if *updateClaims {
		if err := os.WriteFile(claimsPage, written, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(claimsPage)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := statements(written), statements(kept); got != want {
		t.Errorf("docs/claims.md does not say what a run says; rewrite it with -update-claims. It says:\n%s\nand a run:\n%s", want, got)
	}
}

// statements is a page without its diagrams and what was shortened for them, whose
// times are of one run, and without the kernel's version.
func statements(page []byte) string {
	text := regexp.MustCompile("(?s)\n```\n.*?\n```\n").ReplaceAllString(string(page), "\n(diagram)\n")
	text = regexp.MustCompile("(?s)\nShortened: .*?\n(\n|$)").ReplaceAllString(text, "\n")
	text = strings.Join(strings.Fields(text), " ")
	return regexp.MustCompile(`Linux [0-9.]+`).ReplaceAllString(text, "Linux")
}

func TestLabTableAsJSON(t *testing.T) {
	privilege.Need(t, "the claims on this kernel")
	var table report.Claims
	if err := json.Unmarshal([]byte(closewait(t, "lab", "--json").want(t, exitOK).out), &table); err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != 14 || len(table.Columns) != 3 || table.Schema != report.ClaimsSchema {
		t.Fatalf("%d claims on %q, schema %q", len(table.Rows), table.Columns, table.Schema)
	}
	for _, r := range table.Rows {
		for _, c := range r.Cells {
			if c.Verdict == "" || c.TookMS <= 0 {
				t.Errorf("%s on %s: %q in %v ms", r.ID, c.Column, c.Verdict, c.TookMS)
			}
		}
	}
}

// A story of one's own, its diagrams, and a capture that others can read.
func TestLabRunsAStory(t *testing.T) {
	privilege.Need(t, "a story on this kernel")
	dir := t.TempDir()
	story, pcap, svg := filepath.Join(dir, "my.story"), filepath.Join(dir, "my.pcap"), filepath.Join(dir, "my.svg")
	src := "local and remote are connected\nremote closes\nlocal reads → 0\nlocal closes\nexpect local gone; remote TIME_WAIT\n"
	if err := os.WriteFile(story, []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	out := closewait(t, "lab", "run", story, "--pcap", pcap, "--svg", svg).want(t, exitOK).out
	for _, want := range []string{"FIN|ACK", "local reads → 0\n      local CLOSE_WAIT", "All went as the story says, on linux-kernel."} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	drawn := closewait(t, "lab", "draw", pcap).want(t, exitOK).out
	for _, want := range []string{"SYN seq 0", "FIN|ACK seq 1 ack 1"} {
		if !strings.Contains(drawn, want) {
			t.Errorf("no %q in what is drawn from the capture:\n%s", want, drawn)
		}
	}
	f, err := os.Open(pcap)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	packets := 0
	for {
		if _, _, err := r.ReadPacketData(); err != nil {
			break
		}
		packets++
	}
	if packets < 7 { // three to begin with, two FINs, and what answers them
		t.Errorf("the capture has %d packets", packets)
	}
	if drawing, err := os.ReadFile(svg); err != nil || !strings.HasPrefix(string(drawing), "<svg") {
		t.Errorf("the picture is %.40q, %v", drawing, err)
	}
	wrong := strings.Replace(src, "reads → 0", "reads → 5", 1)
	if err := os.WriteFile(story, []byte(wrong), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, engine := range engines {
		if out := closewait(t, "lab", "run", story, "--engine", engine).want(t, exitStuck).out; !strings.Contains(out, "FAILED") {
			t.Errorf("on %s a wrong story passes:\n%s", engine, out)
		}
	}
}

// Without root the lab lives in a user namespace, where the kernel allows that.
func TestLabForAnybody(t *testing.T) {
	const what = "the lab of an ordinary user"
	privilege.Need(t, what)
	r := asNobody(t, command(t, "lab", "run", "c14"))
	if r.status == exitFailed && strings.Contains(r.err, "user namespace") {
		privilege.Unsupported(t, what, errors.New(r.err))
	}
	r.want(t, exitOK).says(t, "All went as the story says, on linux-kernel.")
}

// asNobody runs a command as a user without privileges.
func asNobody(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	return result{status: status(t, err), out: string(out), err: errs.String()}
}

func TestLabLeakIsFound(t *testing.T) {
	cmd := command(t, "lab", "leak", "eof-unread", "--count", "7", "--for", "1m")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first, err := bufio.NewReader(out).ReadString('\n')
	pid := regexp.MustCompile(`^7 connections of cause eof-unread, held by pid (\d+)`).FindStringSubmatch(first)
	if pid == nil {
		t.Fatalf("it says %q, %v", first, err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		out := closewait(t, "--grace", "100ms", "--pid", pid[1]).out
		if strings.Contains(out, "holds 7 connections") && strings.Contains(out, "eof-unread") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the scan says:\n%s", out)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupted, it ended with %v", err)
	}
	if _, err := os.Stat("/proc/" + pid[1]); err == nil {
		t.Error("its program is still there")
	}
}

func TestLabUsage(t *testing.T) {
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"lab", "leak", "eof"}, "no program leaks"},
		{[]string{"lab", "leak"}, "takes one cause"},
		{[]string{"lab", "run"}, "plays one story"},
		{[]string{"lab", "run", "c1", "--engine", "bsd"}, "bsd"},
		{[]string{"lab", "draw"}, "one capture"},
		{[]string{"lab", "run", "c1", "--engine", "model", "--pcap", "x"}, "needs --engine linux"},
	} {
		if r := closewait(t, row.args...).want(t, exitUsage); !strings.Contains(r.err, row.want) {
			t.Errorf("%q: %s", row.args, r.err)
		}
	}
}
