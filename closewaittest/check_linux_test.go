package closewaittest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/closewait/closewait/tcp"
)

// short is a grace period for what is known to stay.
const short = 50 * time.Millisecond

// pair is a connection of this process with itself. Both ends are closed at the
// end of the test.
func pair(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	d, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return c.(*net.TCPConn), d.(*net.TCPConn)
}

// await waits until the process has a socket with this local address and state.
func await(t *testing.T, local net.Addr, want tcp.State) Socket {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		all, err := sockets()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if s.Local.String() == local.String() && s.State == want {
				return s
			}
		}
	}
	t.Fatalf("no %v on %v within 30 s", want, local)
	return Socket{}
}

// checked runs fn as the body of a test of its own, and returns what it failed
// with.
func checked(t *testing.T, grace time.Duration, fn func(t *recorder)) string {
	t.Helper()
	r := record(t, "TestInside")
	Options{Grace: grace}.Check(r)
	fn(r)
	return r.end()
}

func says(t *testing.T, failed string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(failed, p) {
			t.Errorf("%q is missing in %q", p, failed)
		}
	}
}

// C1, C7: the peer closes, the test does not.
func TestARawConnectionThatIsLeftIsNamed(t *testing.T) {
	near, far := (*net.TCPConn)(nil), (*net.TCPConn)(nil)
	failed := checked(t, short, func(*recorder) {
		near, far = pair(t)
		far.Close()
		await(t, near.LocalAddr(), tcp.CloseWait)
	})
	says(t, failed, "left 1 half-closed socket behind", near.LocalAddr().String()+" → "+far.LocalAddr().String(),
		"CLOSE_WAIT, Recv-Q 1", "for ", "nobody read that")
}

func TestAReadEndOfFileIsToldFromAnUnreadOne(t *testing.T) {
	failed := checked(t, short, func(*recorder) {
		near, far := pair(t)
		far.Close()
		await(t, near.LocalAddr(), tcp.CloseWait)
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Fatalf("read: %v", err)
		}
	})
	says(t, failed, "CLOSE_WAIT, Recv-Q 0", "when a read returns io.EOF")
}

func TestUnreadBytesAreCounted(t *testing.T) {
	failed := checked(t, short, func(*recorder) {
		near, far := pair(t)
		if _, err := far.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		far.Close()
		await(t, near.LocalAddr(), tcp.CloseWait)
	})
	says(t, failed, "CLOSE_WAIT, Recv-Q 6", "5 bytes are unread")
}

// C8's correction: a RST hides the connection, the descriptor remains.
func TestADeadDescriptorIsNamed(t *testing.T) {
	failed := checked(t, short, func(*recorder) {
		near, far := pair(t)
		if err := far.SetLinger(0); err != nil {
			t.Fatal(err)
		}
		far.Close()
		await(t, near.LocalAddr(), tcp.Closed)
	})
	says(t, failed, "dead (CLOSED, the descriptor remains)", "the connection has ended, most often by a RST")
}

// Both sides have finished: nothing but the descriptor is left, and there was no RST.
func TestADescriptorAfterAnOrderlyEndIsNotCalledReset(t *testing.T) {
	failed := checked(t, short, func(*recorder) {
		near, far := pair(t)
		if err := near.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		await(t, far.LocalAddr(), tcp.CloseWait)
		far.Close()
		await(t, near.LocalAddr(), tcp.Closed)
	})
	says(t, failed, "dead (CLOSED, the descriptor remains)")
	if strings.Contains(failed, "a RST ended it") {
		t.Errorf("nobody sent one: %s", failed)
	}
}

func TestAnEndShutForWritingIsNamed(t *testing.T) {
	failed := checked(t, short, func(*recorder) {
		near, _ := pair(t)
		if err := near.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		await(t, near.LocalAddr(), tcp.FinWait2)
	})
	says(t, failed, "left 2 half-closed sockets", "FIN_WAIT_2", "the peer keeps its side open", "CLOSE_WAIT")
}

// The error that waits on a dead socket is the program's.
func TestLookingTakesNoErrorFromTheProgram(t *testing.T) {
	near, far := pair(t)
	if err := far.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	far.Close()
	await(t, near.LocalAddr(), tcp.Closed)
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v, want a reset connection", err)
	}
}

// A server that closes after its answer, and a client that keeps the answer.
func TestAnUnclosedResponseBodyIsNamed(t *testing.T) {
	var body io.Closer
	failed := checked(t, short, func(*recorder) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			_, _ = w.Write(bytes.Repeat([]byte("x"), 20_000)) // more than the client buffers, less than the kernel
		}))
		client := &http.Client{Transport: &http.Transport{}}
		response, err := client.Get(server.URL) //nolint:bodyclose // that is the leak; it is closed below
		if err != nil {
			t.Fatal(err)
		}
		body = response.Body
		go server.Close()
		awaitAny(t, tcp.CloseWait)
	})
	defer body.Close()
	says(t, failed, "CLOSE_WAIT", "bytes are unread", "Response.Body.Close")
}

// awaitAny waits for a socket of this process in a state.
func awaitAny(t *testing.T, want tcp.State) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		all, err := sockets()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if s.State == want {
				return
			}
		}
	}
	t.Fatalf("no %v within 30 s", want)
}

// What ends well is not reported, whoever closes first, and also if that takes a
// moment after the test.
func TestWhatIsClosedIsNotReported(t *testing.T) {
	var late sync.WaitGroup
	for name, fn := range map[string]func(){
		"closed by the peer, then here": func() {
			near, far := pair(t)
			far.Close()
			await(t, near.LocalAddr(), tcp.CloseWait)
			near.Close()
		},
		"closed here, then by the peer": func() {
			near, far := pair(t)
			near.Close()
			await(t, far.LocalAddr(), tcp.CloseWait)
			far.Close()
		},
		"still open on both sides": func() { pair(t) },
		"closed after the test": func() {
			near, far := pair(t)
			far.Close()
			await(t, near.LocalAddr(), tcp.CloseWait)
			late.Go(func() {
				time.Sleep(20 * time.Millisecond)
				near.Close()
			})
		},
		"a response that is closed": func() {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Connection", "close")
			}))
			defer server.Close()
			response, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
		},
		"an idle pooled connection that the server closed": func() {
			server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			client := &http.Client{Transport: &http.Transport{}}
			response, err := client.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			server.CloseClientConnections()
			server.Close()
		},
	} {
		if failed := checked(t, 10*time.Second, func(*recorder) { fn() }); failed != "" {
			t.Errorf("%s: %s", name, failed)
		}
	}
	late.Wait()
}

func TestASocketOfBeforeIsNotTheTests(t *testing.T) {
	near, far := pair(t)
	if failed := checked(t, short, func(*recorder) {
		far.Close()
		await(t, near.LocalAddr(), tcp.CloseWait)
	}); failed != "" {
		t.Errorf("failed with %q", failed)
	}
}

func TestOneSocketWithTwoDescriptorsIsOne(t *testing.T) {
	near, far := pair(t)
	copied, err := near.File()
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	far.Close()
	if s := await(t, near.LocalAddr(), tcp.CloseWait); len(s.FDs) != 2 {
		t.Errorf("descriptors %v, want 2", s.FDs)
	}
}

// The kernel's own page of the same sockets.
func TestRecvQIsWhatTheKernelShows(t *testing.T) {
	for _, n := range []int{0, 1, 700} {
		near, far := pair(t)
		if _, err := far.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		far.Close()
		if s := await(t, near.LocalAddr(), tcp.CloseWait); s.RecvQ != n+1 {
			t.Errorf("%d bytes and a FIN: Recv-Q %d, want %d", n, s.RecvQ, n+1)
		}
		if _, err := io.ReadFull(near, make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Fatalf("read: %v", err)
		}
		if s := await(t, near.LocalAddr(), tcp.CloseWait); s.RecvQ != 0 {
			t.Errorf("all %d bytes read: Recv-Q %d, want 0", n, s.RecvQ)
		}
	}
}

// Descriptors that come and go while they are listed are no trouble, and no
// wrong one is reported.
func TestDescriptorsThatComeAndGo(t *testing.T) {
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				read, write, err := os.Pipe()
				if err != nil {
					continue
				}
				conn, err := net.ListenPacket("udp", "127.0.0.1:0")
				if err == nil {
					conn.Close()
				}
				read.Close()
				write.Close()
			}
		})
	}
	for range 300 {
		if _, err := sockets(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	busy.Wait()
}

type fakeMain struct {
	status int
	body   func()
}

func (m fakeMain) Run() int {
	if m.body != nil {
		m.body()
	}
	return m.status
}

func TestVerifyTestMain(t *testing.T) {
	leak := func() {
		near, far := pair(t)
		far.Close()
		await(t, near.LocalAddr(), tcp.CloseWait)
	}
	for _, row := range []struct {
		name string
		main fakeMain
		want int
		says string
	}{
		{"clean", fakeMain{}, 0, ""},
		{"clean and failed", fakeMain{status: 3}, 3, ""},
		{"left something", fakeMain{body: leak}, 1, "this test binary left 1 half-closed socket"},
		{"left something and failed", fakeMain{status: 3, body: leak}, 3, "this test binary left"},
	} {
		var said bytes.Buffer
		if got := (Options{Grace: short}).verify(row.main, &registry{}, &said); got != row.want || !strings.Contains(said.String(), row.says) {
			t.Errorf("%s: status %d, want %d; said %q", row.name, got, row.want, said.String())
		}
	}
}

// The package's own tests close what they open.
func TestMain(m *testing.M) { VerifyTestMain(m) }
