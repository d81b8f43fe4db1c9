package collect

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
)

// compiled calls connect() and recvfrom() from memory of no file, as what a virtual machine
// compiles does. It says where connect() returns to.
const compiled = `
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef LARGER
__attribute__((used)) static void innocent(void) { __asm__ volatile(".skip 262144, 0x90"); }
#endif
static unsigned char code[] = {0xb8, 42, 0, 0, 0, 0x0f, 0x05, 0xc3};
int main(int argc, char **argv)
{
#ifdef LARGER
	puts("ready");
	fflush(stdout);
	return read(0, argv[0], 1) < 0;
#endif
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char c, *at = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(at, code, sizeof(code));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (argc > 2 ? connect(fd, (void *)&to, sizeof(to))
		     : ((int (*)(int, void *, int))at)(fd, &to, sizeof(to)))
		return 1;
	while (recv(fd, &c, 1, 0) > 0)
		;
	if (argc > 3)
		return execl(argv[3], argv[3], NULL);
	printf("%p\n", at);
	fflush(stdout);
	return read(0, &c, 1) < 0;
}
`

func build(t *testing.T, what string, flags ...string) (program string) {
	t.Helper()
	gcc := privilege.Program(t, "gcc", what)
	program = filepath.Join(t.TempDir(), "compiled")
	if err := os.WriteFile(program+".c", []byte(compiled), 0o600); err != nil {
		t.Fatal(err)
	}
	flags = append(flags, "-O2", "-fno-omit-frame-pointer", "-o", program, program+".c")
	if out, err := exec.Command(gcc, flags...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// leaver builds a program, and says at which port all who connect are left at once.
func leaver(t *testing.T, what string) (program, port string) {
	t.Helper()
	program = build(t, what)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return program, port
}

// sensing opens a sensor that is this test's alone.
func sensing(t *testing.T, what string) *Sensing {
	t.Helper()
	x, err := OpenSensing(Options{SensorDir: pinned(t, what)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// opener is the stack that a look shows at the connect of a process's half-closed connection;
// nil if it shows none.
func opener(t *testing.T, x *Sensing, pid int) *observe.Stack {
	t.Helper()
	snapshot, err := Look(t.Context(), Options{Sensing: x})
	if err != nil {
		t.Fatal(err)
	}
	for i := range snapshot.Sockets {
		s := &snapshot.Sockets[i]
		for _, h := range s.Holders {
			if h.PID != int32(pid) || s.History == nil {
				continue
			}
			if s.History.OpenedBy == 0 {
				return nil
			}
			return &snapshot.Sensor.Stacks[s.History.OpenedBy-1]
		}
	}
	t.Fatalf("no connection of process %d with a history", pid)
	return nil
}

// Java writes its perf map when it is asked to, which is after somebody has seen that a
// name is missing: who watches shall have it from the next look on.
func TestAPerfMapThatComesLaterNamesTheCode(t *testing.T) {
	x := sensing(t, "the code of a virtual machine")
	binary, port := leaver(t, "the code of a virtual machine")
	program := testbed.Run(t, exec.Command(binary, port))
	at := program.Line()
	if got := opener(t, x, program.PID()).Frames[0]; got.Module != "[jit]" || got.Function != "" {
		t.Fatalf("without a perf map: %+v", got)
	}
	name := fmt.Sprintf("/tmp/perf-%d.map", program.PID())
	t.Cleanup(func() { os.Remove(name) })
	for _, want := range []string{"", "shop.Prices.ask", ""} {
		line := fmt.Sprintf("%s 40 void %s(int)\n", at, want)
		if want == "" {
			line = "1000 10 void other(int)\n" + line[:3]
		}
		if err := os.WriteFile(name, []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := opener(t, x, program.PID()).Frames[0]; want != "" && got.Function != want {
			t.Errorf("with a perf map: %+v", got)
		}
	}
	if got := opener(t, x, program.PID()).Frames[0]; got.Function != "shop.Prices.ask" {
		t.Errorf("a name that was known is lost: %+v", got)
	}
}

// A test suite starts thousands of processes, which all run the same few lines.
func TestTheSameCodeInManyProcessesTakesOnePlace(t *testing.T) {
	x := sensing(t, "the code of many processes")
	binary, port := leaver(t, "the code of many processes")
	var places int
	for i := range 4 {
		program := testbed.Run(t, exec.Command(binary, port, "by a call"))
		program.Line()
		if got := opener(t, x, program.PID()); got == nil || len(got.Frames) < 2 {
			t.Fatalf("%+v", got)
		}
		if i == 0 {
			places = len(x.Seen().Stacks)
		}
	}
	if got := len(x.Seen().Stacks); got != places {
		t.Errorf("four processes with the same code take %d places, one takes %d", got, places)
	}
}

// A connection may be handed on to another program by exec, in the same process: what is
// there at the addresses of the one that opened it has nothing to do with it.
func TestAnotherProgramIsNotSaidToHaveOpenedIt(t *testing.T) {
	x := sensing(t, "the code of a program that has executed another")
	small := build(t, "the code of a program that has executed another", "-static", "-no-pie")
	large := build(t, "the code of a program that has executed another", "-static", "-no-pie", "-DLARGER")
	_, port := leaver(t, "who leaves")
	program := testbed.Run(t, exec.Command(small, port, "by a call", large))
	program.Line()
	if got := opener(t, x, program.PID()); got != nil {
		t.Errorf("opened by %+v", got)
	}
}
