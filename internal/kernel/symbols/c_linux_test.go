package symbols

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/closewait/closewait/internal/privilege"
)

const cSource = `
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define apart __attribute__((noinline, noclone))

static int port, fd;

apart int open_upstream(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof to))
		exit(3);
	return fd > 0;
}

apart int read_reply(void)
{
	char reply[64];
	int n = recv(fd, reply, sizeof reply, 0);
	if (n != 0)
		exit(4);
	return n + 1;
}

apart int handle_request(void)
{
	int n = open_upstream();
	return n + read_reply();
}

static void *work(void *unused)
{
	if (handle_request() != 2)
		exit(5);
	return unused;
}

int main(int argc, char **argv)
{
	char line[16];
	port = atoi(argv[argc - 1]);
	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		return 1;
	if (argc > 2) {
		pthread_t t;
		pthread_create(&t, NULL, work, NULL);
		pthread_join(t, NULL);
	} else {
		work(NULL);
	}
	puts("done");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin))
		;
	return 0;
}
`

func TestCFunctions(t *testing.T) {
	privilege.Program(t, "gcc", "the functions of C programs")
	const withPointers, without = "-fno-omit-frame-pointer", "-fomit-frame-pointer"
	opened, read := []string{"open_upstream", "handle_request", "main"}, []string{"read_reply", "handle_request", "main"}
	inThread := func(of []string) []string { return []string{of[0], of[1], "work", "start_thread"} }
	for _, row := range []struct {
		name    string
		flags   []string
		threads bool
		top     int // words recorded
		opened  []string
		read    []string
		lost    []string
	}{
		{"frame pointers", []string{withPointers}, false, 1, opened, read, nil},
		{"static", []string{withPointers, "-static"}, false, 1, opened, read, nil},
		{"static PIE", []string{withPointers, "-static-pie"}, false, 1, opened, read, nil},
		{"no PIE", []string{withPointers, "-no-pie"}, false, 1, opened, read, nil},
		{"frame pointers, no word", []string{withPointers}, false, 0, opened[1:], read[1:], []string{opened[0], read[0]}},
		{"no frame pointers", []string{without}, false, 1, opened[:1], read[:1], opened[1:]},
		{"no frame pointers, 64 words", []string{without}, false, 64, opened, read, nil},
		// With more than one thread glibc's wrappers keep words of their own, and recv
		// uses the frame pointer for something else.
		{"a thread", []string{withPointers}, true, 1, inThread(opened)[1:3], nil, []string{opened[0], read[0]}},
		{"a thread, 16 words", []string{withPointers}, true, 16, inThread(opened)[:3], read[:1], nil},
		{"a thread, 64 words", []string{withPointers}, true, 64, inThread(opened), inThread(read), nil},
		{"a thread, no frame pointers, 64 words", []string{without}, true, 64, inThread(opened), inThread(read), nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			program := build(t, "subject.c", cSource, append([]string{"gcc", "-O2", "-g", "-o", "subject", "subject.c"}, row.flags...)...)
			args := []string{peer(t)}
			if row.threads {
				args = append([]string{"thread"}, args...)
			}
			opened, read := play(t, exec.Command(program, args...))
			for _, part := range []struct {
				s    sample
				want []string
			}{{opened, row.opened}, {read, row.read}} {
				frames := resolve(t, part.s, row.top)
				if !inOrder(frames, part.want) {
					t.Errorf("got\n%swant %v", show(frames), part.want)
				}
				for _, f := range frames {
					if slices.Contains(row.lost, f.Function) {
						t.Errorf("%s is not lost:\n%s", f.Function, show(frames))
					}
				}
				if last := frames[len(frames)-1]; !outermost(last.Function) && last.Note == "" {
					t.Errorf("ends too early and does not say so:\n%s", show(frames))
				}
				if i := slices.IndexFunc(frames, func(f Frame) bool { return f.Function == "handle_request" }); i >= 0 &&
					(filepath.Base(frames[i].File) != "subject.c" || frames[i].Line != 36 && frames[i].Line != 37) {
					t.Errorf("a wrong line:\n%s", show(frames))
				}
			}
		})
	}
}

// TestCFunctionsByAHiddenCaller: what is left when only one word was recorded, that
// which follows a call.
func TestCFunctionsByAHiddenCaller(t *testing.T) {
	privilege.Program(t, "gcc", "the functions of C programs")
	program := build(t, "subject.c", cSource, "gcc", "-O2", "-fno-omit-frame-pointer", "-o", "subject", "subject.c")
	for _, args := range [][]string{nil, {"thread"}} {
		opened, read := play(t, exec.Command(program, append(args, peer(t))...))
		for want, s := range map[string]sample{"open_upstream": opened, "read_reply": read} {
			p, err := openProcess("/proc", s.pidOfProcess, 0)
			if err != nil {
				t.Fatal(err)
			}
			l := &look{New(Options{}), p, s.pidOfProcess}
			recorded := s.stack(0)
			if i := slices.IndexFunc(s.Top[:8], l.returns); i >= 0 {
				recorded.Hidden = s.Top[i]
			}
			p.close()
			frames, err := New(Options{}).Stack(recorded)
			if code := Code(frames); err != nil || len(code) != 1 || code[0].Function != want {
				t.Errorf("%v: %v, the code is\n%sof\n%s", args, err, show(code), show(frames))
			}
		}
	}
}

func TestSeparateDebugFiles(t *testing.T) {
	privilege.Program(t, "gcc", "separate debug files")
	objcopy := privilege.Program(t, "objcopy", "separate debug files")
	program := build(t, "subject.c", cSource, "gcc", "-O2", "-g", "-Wl,--build-id", "-fno-omit-frame-pointer", "-o", "subject", "subject.c")
	whole, err := os.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	file, err := newELF(whole)
	if err != nil {
		t.Fatal(err)
	}
	id := file.buildID()
	root := t.TempDir()
	folder := filepath.Join(root, ".build-id", id[:2])
	debug := filepath.Join(folder, id[2:]+".debug")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--only-keep-debug", program, debug}, {"--strip-all", program, program + "-stripped"}} {
		if out, err := exec.Command(objcopy, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	opened, _ := play(t, exec.Command(program+"-stripped", peer(t)))
	named := func() string {
		frames, err := New(Options{DebugRoot: root}).Stack(opened.stack(1))
		if err != nil {
			t.Fatal(err)
		}
		code := Code(frames)[0]
		return fmt.Sprintf("%s %s:%d", code.Function, filepath.Base(code.File), code.Line)
	}
	if got := named(); got != "open_upstream subject.c:20" {
		t.Errorf("got %s", got)
	}
	// One of another build says nothing.
	other := build(t, "subject.c", cSource, "gcc", "-O1", "-g", "-Wl,--build-id", "-o", "subject", "subject.c")
	if err := os.Rename(other, debug); err != nil {
		t.Fatal(err)
	}
	if got := named(); got != " .:0" {
		t.Errorf("of another build: got %s", got)
	}
}

// inOrder tells whether functions are among the frames, in this order.
func inOrder(frames []Frame, want []string) bool {
	for _, f := range frames {
		if len(want) > 0 && f.Function == want[0] {
			want = want[1:]
		}
	}
	return len(want) == 0
}
