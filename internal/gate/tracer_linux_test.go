package gate

import (
	"os"
	"strings"
	"testing"
)

func TestProcessOfAThread(t *testing.T) {
	for _, tid := range threads(os.Getpid()) {
		if pid := processOf(tid); pid != os.Getpid() {
			t.Errorf("thread %d is of process %d, want %d", tid, pid, os.Getpid())
		}
	}
	if pid := processOf(1 << 30); pid != 0 {
		t.Errorf("no thread is of process %d", pid)
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add([]byte("Name:\tTgid:\\n7\nTgid:\t42\nPid:\t43\n"))
	f.Add([]byte("Tgid:"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if pid := parseStatus(text, "Tgid:"); pid < 0 || pid > 0 && !strings.Contains(string(text), "Tgid:") {
			t.Errorf("%d from %q", pid, text)
		}
	})
}
