package symbols

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
)

func TestNamesOfAProgramThatWasReplaced(t *testing.T) {
	privilege.Program(t, "gcc", "names of a program that was replaced")
	for _, row := range []struct {
		name    string
		replace func(program string) error
	}{
		{"deleted", os.Remove},
		{"replaced", func(program string) error {
			if err := os.Remove(program); err != nil {
				return err
			}
			return os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755)
		}},
		{"a FIFO instead", func(program string) error {
			if err := os.Remove(program); err != nil {
				return err
			}
			return unix.Mkfifo(program, 0o600)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			program := build(t, "subject.c", cSource, "gcc", "-O2", "-fno-omit-frame-pointer", "-o", "subject", "subject.c")
			opened, _ := play(t, exec.Command(program, peer(t)))
			if err := row.replace(program); err != nil {
				t.Fatal(err)
			}
			if frames := resolve(t, opened, 1); !inOrder(frames, []string{"open_upstream", "main"}) {
				t.Errorf("got\n%s", show(frames))
			}
			// As without privilege: the path, which leads elsewhere now.
			p, err := openProcess("/proc", opened.pidOfProcess, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			m, ok := mappingOf(p.maps, opened.Top[0])
			if !ok {
				t.Fatal("no mapping")
			}
			m.end++ // names no entry of map_files
			if in, _, err := p.openMapped(m); err == nil {
				in.Close()
				t.Error("opened what has the path now")
			} else if !strings.Contains(reason(err), "replaced") {
				t.Errorf("says %q of %v", reason(err), err)
			}
		})
	}
}

func TestTheFileAtAPathIsTheSameOrNotUsed(t *testing.T) {
	p, err := openProcess("/proc", os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	m, ok := mappingOf(p.maps, own().Addrs[0])
	if !ok {
		t.Fatal("no mapping")
	}
	m.end++ // names no entry of map_files
	in, stat, err := p.openMapped(m)
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
	if stat.Ino != m.inode {
		t.Errorf("inode %d, want %d", stat.Ino, m.inode)
	}
	for name, change := range map[string]func(*mapping){
		"another inode":  func(m *mapping) { m.inode++ },
		"another device": func(m *mapping) { m.dev = "00:01" },
		"deleted":        func(m *mapping) { m.deleted = true },
		"a device":       func(m *mapping) { m.path = "/dev/zero" },
		"a folder":       func(m *mapping) { m.path = "/proc" },
		"no path":        func(m *mapping) { m.path = "" },
	} {
		other := m
		change(&other)
		if in, _, err := p.openMapped(other); err == nil {
			in.Close()
			t.Errorf("%s: opened", name)
		}
	}
}

// mapOf puts a file where the perf map of this process would be.
func mapOf(t *testing.T, put func(path string) error) {
	t.Helper()
	path := fmt.Sprintf("/tmp/perf-%d.map", os.Getpid())
	t.Cleanup(func() { os.Remove(path) })
	if err := put(path); err != nil {
		t.Fatal(err)
	}
}

func TestPerfMapsOfStrangersAreNotRead(t *testing.T) {
	for _, row := range []struct {
		name string
		put  func(path string) error
		used bool
	}{
		{"its own", func(path string) error { return os.WriteFile(path, []byte("1000 10 f\n"), 0o600) }, true},
		{"a FIFO", func(path string) error { return unix.Mkfifo(path, 0o600) }, false},
		{"a symbolic link", func(path string) error { return os.Symlink("/etc/passwd", path) }, false},
		{"a folder", func(path string) error { return os.Mkdir(path, 0o700) }, false},
		{"another user's", func(path string) error {
			if err := os.WriteFile(path, []byte("1000 10 f\n"), 0o644); err != nil {
				return err
			}
			if os.Getuid() != 0 {
				return os.Remove(path)
			}
			return os.Chown(path, 4711, 4711)
		}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			mapOf(t, row.put)
			p, err := openProcess("/proc", os.Getpid(), 0)
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			p.jit = p.openJIT()
			if got := p.jit.in != nil; got != row.used {
				t.Errorf("used: %v", got)
			}
			if names := p.jit.names([]uint64{0x1008}); (len(names) == 1) != row.used {
				t.Errorf("names %v", names)
			}
		})
	}
}

// TestAFileThatPretendsToBeHuge: what its headers promise is not allocated.
func TestAFileThatPretendsToBeHuge(t *testing.T) {
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	sections := binary.LittleEndian.Uint64(exe[40:])
	names := sections + 64*uint64(binary.LittleEndian.Uint16(exe[62:]))
	for name, change := range map[string]func(b []byte){
		"section names": func(b []byte) { binary.LittleEndian.PutUint64(b[names+32:], 1<<40) },
		"many sections": func(b []byte) {
			binary.LittleEndian.PutUint16(b[60:], 0)
			binary.LittleEndian.PutUint64(b[sections+32:], 1<<30)
		},
	} {
		path := filepath.Join(t.TempDir(), "sparse")
		b := bytes.Clone(exe)
		change(b)
		if err := errors.Join(os.WriteFile(path, b, 0o600), os.Truncate(path, 1<<41)); err != nil {
			t.Fatal(err)
		}
		in, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = newELF(in)
		runtime.ReadMemStats(&after)
		in.Close()
		if grown := after.TotalAlloc - before.TotalAlloc; err == nil || grown > 256<<20 {
			t.Errorf("%s: %v, %d MB allocated", name, err, grown>>20)
		}
	}
}

// TestSectionsWithoutContents: debug/elf gives none of these a reader.
func TestSectionsWithoutContents(t *testing.T) {
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	sections, n := binary.LittleEndian.Uint64(exe[40:]), uint64(binary.LittleEndian.Uint16(exe[60:]))
	for name, change := range map[string]func(header []byte){
		"no bits":    func(header []byte) { binary.LittleEndian.PutUint32(header[4:], 8) },
		"compressed": func(header []byte) { binary.LittleEndian.PutUint64(header[8:], 1<<11) },
	} {
		for i := range n {
			b := bytes.Clone(exe[sections+64*i : sections+64*(i+1)])
			change(b)
			changed := patched{bytes.NewReader(exe), map[int64]byte{}}
			for j, v := range b {
				changed.bytes[int64(sections+64*i)+int64(j)] = v
			}
			file, err := newELF(changed)
			if err != nil {
				continue
			}
			m := &module{elf: file, golang: file.pclntab() != nil}
			if file.buildID(); len(m.names([]uint64{0x401000})) != 1 {
				t.Errorf("%s, section %d: an address without a frame", name, i)
			}
			_, _ = file.unwindRule(0x401000)
		}
	}
}

func TestStrippedCodeKeepsModuleAndOffset(t *testing.T) {
	privilege.Program(t, "gcc", "frames without names")
	program := build(t, "subject.c", cSource, "gcc", "-O2", "-s", "-fno-omit-frame-pointer", "-o", "subject", "subject.c")
	opened, _ := play(t, exec.Command(program, peer(t)))
	code := Code(resolve(t, opened, 1))
	if len(code) != 1 || code[0].Role != Unknown || code[0].Function != "" || code[0].Module != program || code[0].Offset == 0 {
		t.Errorf("got\n%s", show(code))
	}
}

func TestPythonIsAnInterpreter(t *testing.T) {
	python := privilege.Program(t, "python3", "the frames of Python programs")
	const source = `import socket, sys
print("ready", flush=True); sys.stdin.readline()
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
assert s.recv(64) == b""
print("done", flush=True); sys.stdin.read()
`
	opened, read := play(t, exec.Command(python, "-c", source, peer(t)))
	for _, s := range []sample{opened, read} {
		frames := resolve(t, s, 64)
		if code := Code(frames); len(code) != 1 || code[0].Role != Interpreter || code[0].Note != "Python frames are not resolved yet" {
			t.Errorf("the code is\n%sof\n%s", show(code), show(frames))
		}
	}
}

// TestNodeInAContainer: its pid is another there, and so is its /tmp.
func TestNodeInAContainer(t *testing.T) {
	node := privilege.Program(t, "node", "a perf map in a container")
	privilege.Need(t, "a perf map in a container")
	cmd := exec.Command("sh", "-c", `mount --make-rprivate / && mount -t tmpfs none /tmp && exec "$0" "$@"`,
		node, "--no-deprecation", "--perf-basic-prof", "--interpreted-frames-native-stack", "-e", nodeSource, "x", "direct", peer(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	opened, _ := play(t, cmd)
	if frames := resolve(t, opened, 16); !inOrder(frames, []string{"openDirectly", "handleRequest"}) {
		t.Errorf("got\n%s", show(frames))
	}
}
