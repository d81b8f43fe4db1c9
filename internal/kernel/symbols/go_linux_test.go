package symbols

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/privilege"
)

const goSource = `package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

type client struct{ conn net.Conn }

//go:noinline
func (c *client) openUpstream(port string) {
	conn, err := net.Dial("tcp4", "127.0.0.1:"+port)
	if err != nil {
		panic(err)
	}
	c.conn = conn
}

//go:noinline
func (c *client) readReply() {
	if n, err := c.conn.Read(make([]byte, 64)); n != 0 || err != io.EOF {
		panic(err)
	}
}

// small is inlined into its caller.
func (c *client) small(port string) { c.openUpstream(port) }

//go:noinline
func (c *client) handle(port string) {
	c.small(port)
	c.readReply()
}

//go:noinline
func worker(port string, done chan bool) {
	new(client).handle(port)
	done <- true
}

//go:noinline
func background(port string, done chan bool) {
	go worker(port, done)
}

//go:noinline
func get(port string) {
	if _, err := http.Get("http://127.0.0.1:" + port); err == nil {
		panic("answered")
	}
}

func main() {
	fmt.Println("ready")
	in := bufio.NewReader(os.Stdin)
	in.ReadString('\n')
	port := os.Args[len(os.Args)-1]
	if len(os.Args) > 2 && os.Args[1] == "http" {
		get(port)
	} else if len(os.Args) > 2 {
		done := make(chan bool)
		background(port, done)
		<-done
	} else {
		new(client).handle(port)
	}
	fmt.Println("done")
	io.Copy(io.Discard, in)
}
`

func goBuild(t *testing.T, flags ...string) string {
	privilege.Program(t, "go", "the functions of Go programs")
	return build(t, "main.go", goSource, append(append([]string{"go", "build", "-o", "subject"}, flags...), "main.go")...)
}

func TestGoFunctions(t *testing.T) {
	for _, row := range []struct {
		name  string
		flags []string
	}{
		{"plain", nil},
		{"stripped", []string{"-ldflags=-s -w"}},
		{"PIE", []string{"-buildmode=pie"}},
		{"stripped PIE", []string{"-buildmode=pie", "-ldflags=-s -w"}},
		{"linked by gcc", []string{"-ldflags=-linkmode=external"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			program := goBuild(t, row.flags...)

			opened, read := play(t, exec.Command(program, peer(t)))
			frames := resolve(t, opened, 1)
			t.Logf("open:\n%s", show(frames))
			want := []string{"net.Dial", "main.(*client).openUpstream", "main.(*client).small", "main.(*client).handle", "main.main"}
			if !inOrder(frames, want) {
				t.Errorf("open: got\n%swant %v", show(frames), want)
			}
			if code := Code(frames); len(code) != 1 || code[0].Function != "main.(*client).openUpstream" || code[0].Line != 16 || !strings.HasSuffix(code[0].File, "main.go") {
				t.Errorf("the code is\n%s", show(code))
			}
			frames = resolve(t, read, 1)
			if want := []string{"main.(*client).readReply", "main.(*client).handle", "main.main"}; !inOrder(frames, want) {
				t.Errorf("read: got\n%swant %v", show(frames), want)
			}
		})
	}
}

func TestGoCreator(t *testing.T) {
	program := goBuild(t, "-ldflags=-s -w")
	opened, _ := play(t, exec.Command(program, "goroutine", peer(t)))
	frames := resolve(t, opened, 1)
	last := frames[len(frames)-1]
	if last.Role != Creator || last.Function != "main.background" || last.Line != 47 {
		t.Errorf("got\n%s", show(frames))
	}

	// The same without the goroutine's words: the name tells only of literals.
	s := opened.stack(1)
	s.Creators = nil
	r := New(Options{})
	frames, err := r.Stack(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("by name:\n%s", show(frames))
}

func TestGoHTTP(t *testing.T) {
	program := goBuild(t)
	opened, read := play(t, exec.Command(program, "http", peer(t)))
	frames := resolve(t, opened, 1)
	t.Logf("open:\n%s\nread:\n%s", show(frames), show(resolve(t, read, 1)))
	if want := []string{"net/http.(*Transport).dialConn", "net/http.(*Transport).queueForDial"}; !inOrder(frames, want) && !inOrder(frames, []string{want[0], "net/http.(*Transport).startDialConnForLocked"}) {
		t.Errorf("got\n%swant %v", show(frames), want)
	}
}
