package collect

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/kernel/sensor"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/tcp"
)

// pinned starts a sensor that is this test's alone.
func pinned(t *testing.T, what string) (dir string) {
	t.Helper()
	privilege.Need(t, what)
	dir = filepath.Join(filepath.Dir(sensor.Dir), fmt.Sprintf("closewait-collect-%d", os.Getpid()))
	if err := sensor.Start(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sensor.Stop(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A stack for which there was no time counts once, however many connections have it,
// and is tried again at the next look.
func TestStacksThatAreNotNamedAreCounted(t *testing.T) {
	x := &Sensing{known: map[uint32]int{}, left: map[uint32]bool{}, spent: mostNaming}
	for _, id := range []uint32{7, 8, 7, 7} {
		if n := x.stack(id); n != 0 {
			t.Errorf("stack %d has the number %d", id, n)
		}
	}
	if len(x.left) != 2 || len(x.known) != 0 {
		t.Errorf("%d stacks were not named, want 2; %d are known, want none", len(x.left), len(x.known))
	}
}

// net/http dials in a goroutine of its own: what began that is not on the stack.
func TestTheOpenerOfAnHTTPClientIsCreatedBySomething(t *testing.T) {
	dir := pinned(t, "what created the goroutine that opened a connection")
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1")
	}()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: 30 * time.Second}
	answer, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() // which the leak of golang/go#43966 leaves out

	var opened []observe.Frame
	for end := time.Now().Add(15 * time.Second); opened == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain for the finding with its opener")
		}
		snapshot, err := Look(t.Context(), Options{SensorDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		o := diagnose.Options{Grace: time.Nanosecond, Filter: diagnose.Filter{PIDs: []int{os.Getpid()}}}
		for _, f := range diagnose.Diagnose(nil, snapshot, o).Findings {
			if f.State == tcp.CloseWait && f.Direction == diagnose.Outbound {
				opened = f.OpenedBy
			}
		}
	}
	if !slices.ContainsFunc(opened, func(c observe.Frame) bool {
		return strings.HasPrefix(c.Function, "net/http.(*Transport).") && strings.Contains(c.Note, "created by") && c.Line > 0
	}) {
		t.Errorf("opened by %+v", opened)
	}
}
