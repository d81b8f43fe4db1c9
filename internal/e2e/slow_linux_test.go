package e2e

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/tcp"
)

// TestSlowReaderIsNotStopped: a client that has shut down its side reads a long answer so
// slowly that the window stays closed. Nothing new comes between two looks, and it reads all
// the same.
func TestSlowReaderIsNotStopped(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := client.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := server.SetWriteDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Write(make([]byte, 32<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the window did not close: %v", err)
	}
	for _, reader := range readers() {
		if reader == "bpf" && !privilege.Held() {
			continue
		}
		const quiet = 200 * time.Millisecond
		time.Sleep(quiet + 100*time.Millisecond)
		first := look(t, reader)
		if _, err := io.ReadFull(client, make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
		report := diagnose.Diagnose(first, look(t, reader), diagnose.Options{Grace: quiet, Filter: diagnose.Filter{PIDs: []int{os.Getpid()}}})
		reading := func(f diagnose.Finding) bool {
			return f.State == tcp.FinWait2 && f.Remote == l.Addr().String()
		}
		i := slices.IndexFunc(report.Findings, reading)
		if i < 0 {
			t.Fatalf("%s: the client's connection is in no finding", reader)
		}
		if f := &report.Findings[i]; f.Stuck || f.Cause != diagnose.HalfCloseInUse {
			t.Errorf("%s: %s, stuck %v, of a client that reads", reader, f.Cause, f.Stuck)
		}
	}
	// The server's application is done with it, and the kernel is not.
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	for _, reader := range readers() {
		if reader == "bpf" && !privilege.Held() {
			continue
		}
		port := diagnose.Filter{Ports: []uint16{l.Addr().(*net.TCPAddr).AddrPort().Port()}}
		report := diagnose.Diagnose(nil, look(t, reader), diagnose.Options{Grace: time.Minute, Filter: port})
		i := slices.IndexFunc(report.Findings, func(f diagnose.Finding) bool { return f.State == tcp.LastAck })
		if i < 0 {
			t.Fatalf("%s: what the server left is in no finding", reader)
		}
		if f := &report.Findings[i]; f.Cause != diagnose.HalfCloseInUse || f.Owner != nil || f.Outlook.Kind != diagnose.Soon {
			t.Errorf("%s: %s of %+v, which ends %s", reader, f.Cause, f.Owner, f.Outlook.Kind)
		}
	}
}
