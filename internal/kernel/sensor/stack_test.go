//go:build linux

package sensor

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
)

// functions names a stack of this process.
func functions(s *Stack) string {
	var names []string
	for _, pc := range append([]uint64{s.Hidden}, s.Frames...) {
		if f := runtime.FuncForPC(uintptr(pc)); f != nil {
			names = append(names, f.Name())
		}
	}
	return strings.Join(names, " ")
}

func stack(t *testing.T, s *Sensor, id uint32) *Stack {
	t.Helper()
	st, err := s.Stack(id)
	must(t, err)
	if st.PID != int32(os.Getpid()) || st.Comm == "" || st.Started <= 0 || st.Started > sinceBoot() {
		t.Errorf("%+v", st)
	}
	return st
}

//go:noinline
func opensHere(t *testing.T, at *unix.SockaddrInet4) *os.File { return connect(t, at, 0) }

//go:noinline
func readsHere(f *os.File) int { return recvfrom(f, 64, 0) }

//go:noinline
func endsHere(f *os.File) int { return recvfrom(f, 64, 0) }

//go:noinline
func splicesHere(t *testing.T, f *os.File) int { return splice(t, f) }

func TestStacksLeadToTheCode(t *testing.T) {
	s := start(t)
	h := hear(t, s, EventOptions{Kinds: []Kind{KindStack}})
	l, at := listen(t, 0)
	ours := opensHere(t, at)
	peer := accept(t, l)
	send(t, peer, 1)
	send(t, ours, 1)
	readsHere(ours)
	splicesHere(t, peer)
	finish(t, ours, peer, false)
	endsHere(ours)
	r := history(t, s, ours)
	for _, row := range []struct {
		what string
		id   uint32
		in   string
	}{
		{"opener", r.OpenerStack, "sensor.opensHere"},
		{"first reader", r.ReaderStack, "sensor.readsHere"},
		{"reader of zero", r.ZeroStack, "sensor.endsHere"},
	} {
		if got := functions(stack(t, s, row.id)); !strings.Contains(got, row.in) || !strings.Contains(got, "sensor.TestStacksLeadToTheCode") {
			t.Errorf("%s: %s", row.what, got)
		}
		e := h.one(t, KindStack, func(e *Event) bool { return e.Stack == row.id })
		if e.PID != int32(os.Getpid()) || e.Comm == "" {
			t.Errorf("%s: %+v", row.what, e)
		}
	}
}

func TestTheFirstReaderBySplice(t *testing.T) {
	s := start(t)
	ours, peer := pair(t)
	send(t, peer, 1)
	splicesHere(t, ours)
	if got := functions(stack(t, s, history(t, s, ours).ReaderStack)); !strings.Contains(got, "sensor.splicesHere") {
		t.Error(got)
	}
}

func TestAStackIsKeptOnce(t *testing.T) {
	s := start(t)
	l, at := listen(t, 0)
	ids := map[uint32]bool{}
	for range 3 {
		ours := opensHere(t, at)
		accept(t, l)
		ids[history(t, s, ours).OpenerStack] = true
	}
	if len(ids) != 1 {
		t.Errorf("three connections opened by one line have the stacks %v", ids)
	}
}

func TestAStackThatIsNotThere(t *testing.T) {
	s := start(t)
	for _, id := range []uint32{0, 12345} {
		if _, err := s.Stack(id); !errors.Is(err, ErrNoStack) {
			t.Errorf("%d: %v", id, err)
		}
	}
}

// program is C whose caller of connect() a walk by frame pointers passes over:
// glibc's wrapper makes no frame.
const program = `
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
__attribute__((noinline)) int opens(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) { perror("connect"); exit(1); }
	return fd;
}
__attribute__((noinline)) void after(void) { (void)!write(1, "", 0); }
#ifdef THREADS
#include <pthread.h>
static void *idle(void *x) { pause(); return x; }
#endif
int main(int argc, char **argv)
{
	char c;
	int fd;
#ifdef THREADS
	pthread_t t;
	pthread_create(&t, 0, idle, 0);
#endif
	fd = opens(atoi(argv[1]));
	printf("%lx %lx\n", (unsigned long)opens, (unsigned long)after);
	fflush(stdout);
	(void)!read(0, &c, 1);
	close(fd);
	return argc < 1;
}
`

func TestTheCallerOfAWrapperWithoutAFrame(t *testing.T) {
	s := start(t)
	gcc := privilege.Program(t, "gcc", "the hidden caller in a C program")
	dir := t.TempDir()
	source := filepath.Join(dir, "program.c")
	must(t, os.WriteFile(source, []byte(program), 0o600))
	l, at := listen(t, 0)
	for _, row := range []struct {
		name  string
		flags []string
	}{
		{"with frame pointers", []string{"-fno-omit-frame-pointer"}},
		{"without frame pointers", []string{"-fomit-frame-pointer"}},
		{"with threads", []string{"-fno-omit-frame-pointer", "-DTHREADS", "-pthread"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			binary := filepath.Join(dir, strings.ReplaceAll(row.name, " ", "-"))
			out, err := exec.Command(gcc, append(row.flags, "-O2", "-o", binary, source)...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			from, to, pid := runProgram(t, binary, at.Port)
			peer := accept(t, l)
			name, err := unix.Getpeername(fd(peer))
			must(t, err)
			var id uint32
			must(t, s.History(func(r *Record) error {
				if r.Local.Port() == uint16(name.(*unix.SockaddrInet4).Port) && r.Outbound && r.OpenerPID == pid {
					id = r.OpenerStack
				}
				return nil
			}))
			st, err := s.Stack(id)
			must(t, err)
			if st.Hidden < from || st.Hidden >= to || st.PID != pid {
				t.Errorf("hidden caller %x, want one in opens() at %x to %x: %+v", st.Hidden, from, to, st)
			}
		})
	}
}

// runProgram starts it and returns where opens() is in its memory.
func runProgram(t *testing.T, binary string, port int) (from, to uint64, pid int32) {
	t.Helper()
	program := testbed.Run(t, exec.Command(binary, strconv.Itoa(port)))
	line := program.Line()
	words := strings.Fields(line)
	if len(words) != 2 {
		t.Fatalf("it said %q", line)
	}
	from, to = hexadecimal(t, words[0]), hexadecimal(t, words[1])
	if to < from {
		from, to = to, from+4096
	}
	return from, to, int32(program.PID())
}

func hexadecimal(t *testing.T, text string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(text, 16, 64)
	must(t, err)
	return n
}
