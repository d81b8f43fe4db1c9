//go:build linux && amd64

package sensor

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
	"github.com/closewait/closewait/internal/testbed"
)

// threaded is C whose second thread reads the end of a connection by the call named
// in its arguments.
const threaded = `
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
static char **args;
static int fd;
static int pipes[2];
__attribute__((noinline)) int ends(void)
{
	static char b[64];
	struct iovec v = {b, sizeof(b)};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	if (!strcmp(args[2], "recv")) return recv(fd, b, sizeof(b), 0) + 1;
	if (!strcmp(args[2], "recvfrom")) return recvfrom(fd, b, sizeof(b), 0, 0, 0) + 1;
	if (!strcmp(args[2], "recvmsg")) return recvmsg(fd, &m, 0) + 1;
	if (!strcmp(args[2], "readv")) return readv(fd, &v, 1) + 1;
	if (!strcmp(args[2], "splice")) return splice(fd, 0, pipes[1], 0, 64, 0) + 1;
	return read(fd, b, sizeof(b)) + 1;
}
__attribute__((noinline)) int handles(void) { return ends() + 1; }
__attribute__((noinline)) int serves(void) { return handles() + 1; }
void *works(void *x) { return serves() != 3 ? args : x; }
int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
	pthread_t t;
	void *failed;
	char c;
	args = argv;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	if (pipe(pipes) || connect(fd, (struct sockaddr *)&to, sizeof(to))) { perror("connect"); exit(1); }
	if (pthread_create(&t, 0, works, 0) || pthread_join(t, &failed) || failed) exit(1);
	puts("read");
	fflush(stdout);
	return read(0, &c, 1) != 0;
}
`

// In a process of several threads glibc's wrappers of calls that can be cancelled
// keep words of their own on the stack, and some use rbp for another purpose.
func TestEveryCallerOfAThreadedProgramsRead(t *testing.T) {
	s := start(t)
	gcc := privilege.Program(t, "gcc", "the callers in a threaded C program")
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "threaded.c"), filepath.Join(dir, "threaded")
	must(t, os.WriteFile(source, []byte(threaded), 0o600))
	out, err := exec.Command(gcc, "-O2", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-no-pie", "-pthread", "-o", binary, source).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l, at := listen(t, 0)
	for _, call := range []string{"recv", "recvfrom", "recvmsg", "read", "readv", "splice"} {
		t.Run(call, func(t *testing.T) {
			program := testbed.Run(t, exec.Command(binary, strconv.Itoa(at.Port), call))
			t.Cleanup(program.Leave)
			peer := accept(t, l)
			name, err := unix.Getpeername(fd(peer))
			must(t, err)
			must(t, peer.Close())
			if line := program.Line(); line != "read" {
				t.Fatalf("it said %q", line)
			}
			var id uint32
			must(t, s.History(func(r *Record) error {
				if r.Local.Port() == uint16(name.(*unix.SockaddrInet4).Port) && r.Outbound {
					id = r.ZeroStack
				}
				return nil
			}))
			st, err := s.Stack(id)
			if err != nil {
				status, _ := s.Status()
				t.Fatalf("%v; id %d, %+v", err, id, status)
			}
			got := symbolsOf(t, binary, slices.Insert(slices.Clone(st.Frames), 1, st.Hidden))
			if want := "ends handles serves works"; strings.Join(got, " ") != want {
				t.Errorf("%s, want %s: %+v", got, want, st)
			}
		})
	}
}

// symbolsOf names those of some return addresses that are of a program's own code.
func symbolsOf(t *testing.T, binary string, addrs []uint64) (names []string) {
	t.Helper()
	f, err := elf.Open(binary)
	must(t, err)
	defer f.Close()
	all, err := f.Symbols()
	must(t, err)
	for _, addr := range addrs {
		for _, one := range all {
			if elf.ST_TYPE(one.Info) == elf.STT_FUNC && addr > one.Value && addr <= one.Value+one.Size {
				names = append(names, one.Name)
			}
		}
	}
	return names
}
