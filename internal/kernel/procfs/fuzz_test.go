//go:build linux

package procfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func FuzzStat(f *testing.F) {
	f.Add([]byte(statLine("app", 'S', 3, 94448, 1, 2)))
	f.Add([]byte(statLine(") R 1", 'Z', 1, 1, 0, 0)))
	f.Add([]byte("42 (a)"))
	f.Add([]byte("42 )a("))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseStat(text)
		if err == nil && (s.threads < 0 || s.threads > maxPID || s.ppid < 0 || len(s.comm) > len(text)) {
			t.Errorf("%+v", s)
		}
		// Whatever a program calls itself, it reads back so.
		comm := string(text[:min(len(text), 64)])
		s, err = parseStat([]byte(statLine(comm, 'S', 3, 94448, 5, 6)))
		if want := (stat{comm: comm, state: 'S', ppid: 1, flags: 4194304, threads: 3, start: 94448, startCode: 5, startStack: 6}); err != nil || s != want {
			t.Errorf("%+v, %v; want %+v", s, err, want)
		}
	})
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte("Name:\tapp\nUid:\t1\t2\t3\t4\nGroups:\t0 1\nNSpid:\t42\t7\t1\n"))
	f.Add([]byte("Name:\tUid:\\n7\nUid:\t0\t0\t0\t0\n"))
	f.Add([]byte("Uid:\t0\t4294967296"))
	f.Add([]byte("NSpid:\t1" + strings.Repeat("\t1", 40)))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseStatus(text)
		if err == nil && len(s.nspids) > maxNSPIDs {
			t.Errorf("%d pids", len(s.nspids))
		}
	})
}

func FuzzLimits(f *testing.F) {
	f.Add([]byte("Limit Soft Hard Units\nMax open files            1024                 unlimited            files     \n"))
	f.Add([]byte("Max open files"))
	f.Fuzz(func(t *testing.T, text []byte) {
		soft, hard, err := parseLimits(text)
		if err == nil && !bytes.Contains(text, []byte("Max open files")) {
			t.Errorf("%d and %d out of nothing", soft, hard)
		}
	})
}

func FuzzCmdline(f *testing.F) {
	f.Add([]byte("nginx: worker process\x00\x00\x00"))
	f.Add([]byte("app\x00\x00-v\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		args := parseCmdline(text)
		if got := strings.Join(args, "\x00"); got != string(bytes.TrimRight(text, "\x00")) {
			t.Errorf("%q became %q", text, args)
		}
	})
}

func FuzzCgroups(f *testing.F) {
	f.Add([]byte("12:pids:/a\n0::/system.slice/x.service\n"))
	f.Add(bytes.Repeat([]byte("1:a:/b\n"), cgroupSize/7+1)[:cgroupSize])
	f.Fuzz(func(t *testing.T, text []byte) {
		text = text[:min(len(text), cgroupSize)]
		lines := parseCgroups(text)
		if len(lines) > maxCgroups {
			t.Errorf("%d lines", len(lines))
		}
		whole := strings.Split(string(text), "\n")
		for _, line := range lines {
			if line == "" || !slices.Contains(whole, line) {
				t.Errorf("line %q is not in %q", line, text)
			}
		}
	})
}

func TestCgroupLinesAreWholeOrAbsent(t *testing.T) {
	text := bytes.Repeat([]byte("x"), cgroupSize)
	if lines := parseCgroups(text); lines != nil {
		t.Errorf("%d cut lines", len(lines))
	}
	text[9] = '\n'
	if lines := parseCgroups(text); !slices.Equal(lines, []string{"xxxxxxxxx"}) {
		t.Errorf("got %q", lines)
	}
}

func FuzzLink(f *testing.F) {
	for _, link := range []string{"socket:[1]", "net:[4026531833]", "socket:[", "socket:[]", "net:[18446744073709551616]", "/a", "pipe:[1]", "socket:[1] (deleted)"} {
		f.Add([]byte(link))
	}
	f.Fuzz(func(t *testing.T, link []byte) {
		kind, inode := parseLink(link)
		if kind == 0 {
			return
		}
		// Leading zeros apart, only one text names a thing.
		digits := strings.TrimLeft(string(link[bytes.IndexByte(link, '[')+1:len(link)-1]), "0")
		if digits == "" {
			digits = "0"
		}
		if got := fmt.Sprintf("%v:[%d]", kind, inode); got != fmt.Sprintf("%v:[%s]", kind, digits) {
			t.Errorf("%q read as %s", link, got)
		}
	})
}

func entry(name string) []byte {
	b := make([]byte, 19, 19+len(name)+1)
	b = append(append(b, name...), 0)
	binary.NativeEndian.PutUint16(b[16:], uint16(len(b)))
	return b
}

func FuzzEntries(f *testing.F) {
	f.Add(slices.Concat(entry("."), entry(".."), entry("12")))
	f.Add(entry("12")[:20])
	f.Add(make([]byte, 19))
	f.Fuzz(func(t *testing.T, buf []byte) {
		for len(buf) > 0 {
			name, size := nextEntry(buf)
			if name == nil {
				return
			}
			if size < 20 || size > len(buf) || bytes.IndexByte(name, 0) != len(name)-1 {
				t.Fatalf("%q of %d bytes, in %d", name, size, len(buf))
			}
			buf = buf[size:]
		}
	})
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte("60\n"))
	f.Add([]byte("-1\n"))
	f.Add([]byte("32768\t60999\n"))
	f.Add([]byte("18446744073709551616"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if v, err := parseSetting(text); err == nil && v >= 1<<63 {
			t.Errorf("%q read as %d", text, v)
		}
		_, _ = parsePortRange(text)
	})
}

// FuzzSockstat feeds the one parser that is not ours.
func FuzzSockstat(f *testing.F) {
	f.Add([]byte("sockets: used 17\nTCP: inuse 2 orphan 1 tw 30 alloc 2 mem 134\n"), []byte("TCP6: inuse 3\n"))
	f.Add([]byte("TCP: inuse"), []byte("TCP6"))
	root := f.TempDir()
	net := filepath.Join(root, "thread-self", "net")
	if err := os.MkdirAll(net, 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, v4, v6 []byte) {
		for name, text := range map[string][]byte{"sockstat": v4, "sockstat6": v6} {
			if err := os.WriteFile(filepath.Join(net, name), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = New(root).Counters()
	})
}

func TestCountersOfASockstat(t *testing.T) {
	root := t.TempDir()
	net := filepath.Join(root, "thread-self", "net")
	if err := os.MkdirAll(net, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(net, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("sockstat", "sockets: used 17\nTCP: inuse 2 orphan 1 tw 30 alloc 2 mem 134\nUDP: inuse 9 mem 0\n")
	if c, err := New(root).Counters(); err != nil || c != (Counters{InUse: 2, Orphan: 1, TimeWait: 30, Alloc: 2}) {
		t.Errorf("without IPv6: %+v, %v", c, err)
	}
	write("sockstat6", "TCP6: inuse 3\nUDP6: inuse 8\n")
	if c, err := New(root).Counters(); err != nil || c != (Counters{InUse: 5, Orphan: 1, TimeWait: 30, Alloc: 2}) {
		t.Errorf("with IPv6: %+v, %v", c, err)
	}
	write("sockstat", "TCP: inuse x\n")
	if _, err := New(root).Counters(); err == nil || !strings.Contains(err.Error(), "sockstat") {
		t.Errorf("malformed: %v", err)
	}
}
