package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scriptFolder holds two scripts, one of which fails unless RELAXED is defined.
func scriptFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"a/refused.pkt": "`./defaults.sh`\n" +
			" 0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n" +
			"+0...0.01 connect(3, ..., ...) = -1 ECONNREFUSED (Connection refused)\n" +
			"+0 > S 0:0(0) <...>\n" +
			"#ifdef RELAXED\n" +
			"* > S 0:0(0) <...>\n" +
			"#endif\n" +
			"+.01 < R. 0:0(0) ack 1 win 0\n",
		"a/defaults.sh": "#!/bin/sh\nsysctl -q net.ipv4.tcp_syn_retries=2 net.ipv4.tcp_frto=2\n",
		"b.pkt":         " 0 `reboot`\n",
		"notes.txt":     "no script",
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestModelScript(t *testing.T) {
	folder := scriptFolder(t)
	status, out, errs := inProcess(t, "", "model", "script", folder)
	out = strings.ReplaceAll(out, folder+string(filepath.Separator), "")
	if status != exitOK || errs != "" {
		t.Fatalf("status %d, %s%s", status, out, errs)
	}
	golden(t, "model-script.txt", filepath.ToSlash(out))

	// One script that fails is status 1; the other definition changes it.
	status, out, _ = inProcess(t, "", "model", "script", "--define", "RELAXED", folder)
	if status != 1 || !strings.Contains(out, "refused.pkt:3: wanted connect = -1 ECONNREFUSED from 0.006 s") {
		t.Errorf("status %d: %s", status, out)
	}
	status, out, _ = inProcess(t, "", "model", "script", "--verbose", filepath.Join(folder, "a", "refused.pkt"))
	if status != exitOK || !strings.Contains(out, "< R. 0:0(0) ack 1  SYN_SENT") || !strings.Contains(out, "ignored: sysctl net.ipv4.tcp_frto") {
		t.Errorf("status %d: %s", status, out)
	}
}

func TestModelScriptMistakes(t *testing.T) {
	for _, row := range []struct {
		args   string
		status int
		says   string
	}{
		{"model script", exitUsage, "wants files or folders"},
		{"model script --profile vms x.pkt", exitUsage, "use "},
		{"model script there/is/none.pkt", exitFailed, "none.pkt"},
	} {
		status, _, errs := inProcess(t, "", strings.Fields(row.args)...)
		if status != row.status || !strings.Contains(errs, row.says) {
			t.Errorf("%s: status %d, %q", row.args, status, errs)
		}
	}
}
