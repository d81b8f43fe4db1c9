//go:build linux

package symbols

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/privilege"
)

func FuzzMaps(f *testing.F) {
	f.Add([]byte("55d0-55d8 r-xp 00001000 fe:00 1234                       /usr/bin/a b (deleted)\n7f00-7f10 rwxp 00000000 00:00 0 \n"))
	f.Add([]byte("1-2 r-xp 0 0:0 0"))
	f.Add([]byte("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n"))
	f.Add([]byte(strings.Repeat("x", maxMapsLine+10)))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := parseMaps(bytes.NewReader(text))
		for i, m := range all {
			if err != nil || m.start >= m.end || i > 0 && m.start < all[i-1].start {
				t.Fatalf("%+v, %v", m, err)
			}
			if got, ok := mappingOf(all[i:i+1], m.end-1); !ok || got != m {
				t.Fatalf("%+v is not found", m)
			}
		}
	})
}

func FuzzPerfMap(f *testing.F) {
	f.Add([]byte("7f00 10 JS:~f /a.js:1:2\n0x7f00 0x20 int A.b(int)\n"), uint64(0x7f08))
	f.Add([]byte("ffffffffffffffff ffffffffffffffff x\n\n1 2"), ^uint64(0))
	f.Add([]byte("0 10 "+strings.Repeat("n", maxPerfMapLine)+"\n20 10 y"), uint64(0x21))
	f.Fuzz(func(t *testing.T, text []byte, addr uint64) {
		found, err := parsePerfMap(bytes.NewReader(text), []uint64{addr, addr + 1, 7})
		if err != nil {
			t.Fatal(err)
		}
		for a, fn := range found {
			if fn.start > a || a-fn.start != fn.offset || len(fn.name) > maxText+3 {
				t.Errorf("%#x: %+v", a, fn)
			}
			method(fn.name)
			scripted(fn.name)
		}
	})
}

func FuzzMounts(f *testing.F) {
	f.Add([]byte("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n37 35 0:55 / /fuse rw - fuse.sshfs x rw\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m := parseMounts(bytes.NewReader(text))
		for _, point := range m.fuse {
			if point != "/" && !m.foreignPath(point) {
				t.Errorf("%q is not below itself", point)
			}
		}
	})
}

func FuzzIdentity(f *testing.F) {
	f.Add([]byte("Name:\tx\nUid:\t0\t7\t0\t0\nNSpid:\t42\t1\n"), []byte("1 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 1234 20"))
	f.Fuzz(func(t *testing.T, status, stat []byte) {
		if _, pid, ok := parseIdentity(status); ok && pid <= 0 {
			t.Errorf("pid %d", pid)
		}
		_, _ = parseStarted(stat)
	})
}

// patched is a file with some bytes changed.
type patched struct {
	in    io.ReaderAt
	bytes map[int64]byte
}

func (p patched) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.in.ReadAt(b, off)
	for at, v := range p.bytes {
		if at >= off && at < off+int64(n) {
			b[at-off] = v
		}
	}
	return n, err
}

// patch reads changes of the first size bytes: six bytes each, place and value.
func patch(in io.ReaderAt, changes []byte, size int64) patched {
	p := patched{in, map[int64]byte{}}
	for ; len(changes) >= 6 && len(p.bytes) < 64; changes = changes[6:] {
		p.bytes[int64(binary.LittleEndian.Uint32(changes))%size] = changes[4]
	}
	return p
}

func FuzzELF(f *testing.F) {
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { in.Close() })
	f.Add([]byte{0, 0, 0, 0, 0x7f, 0}, uint64(0x401000))
	f.Add([]byte{0x3c, 0, 0, 0, 0xff, 0, 0x3d, 0, 0, 0, 0xff, 0}, uint64(0x401000))
	f.Fuzz(func(t *testing.T, changes []byte, addr uint64) {
		file, err := newELF(patch(in, changes, 4096))
		if err != nil {
			return
		}
		m := &module{elf: file, golang: file.pclntab() != nil}
		file.buildID()
		file.address(addr)
		_, _ = file.unwindRule(addr)
		if len(m.names([]uint64{addr})) != 1 {
			t.Error("an address without a frame")
		}
	})
}

func FuzzSymbols(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x12\x00\x01\x00\x00\x10\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00"), []byte("\x00main\x00"), uint64(0x1008))
	f.Fuzz(func(t *testing.T, table, names []byte, addr uint64) {
		for a, s := range tables(table, names).symbols([]uint64{addr}) {
			if a != addr || len(s.name) > maxText+3 {
				t.Errorf("%#x: %+v", a, s)
			}
		}
	})
}

func FuzzPclntab(f *testing.F) {
	good, file := pclntabOf(f)
	s := file.Section(".gopclntab")
	f.Add([]byte{8, 0, 0, 0, 0xff, 0}, uint32(0))
	f.Add([]byte{0, 0, 0, 0, 0xf0, 0}, uint32(4711))
	f.Fuzz(func(t *testing.T, changes []byte, at uint32) {
		table, err := newPclntab(patch(s, changes, int64(s.Size)), s.Addr, file)
		if err != nil {
			return
		}
		if table.inlining == nil {
			table.inlining = good.inlining
		}
		calls, _ := table.calls(good.text + uint64(at)%(1<<22))
		if len(calls) > maxInline {
			t.Errorf("%d calls", len(calls))
		}
	})
}

func FuzzFrames(f *testing.F) {
	f.Add(description, int64(24), uint64(0x1002))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, int64(0), uint64(0))
	f.Fuzz(func(_ *testing.T, data []byte, at int64, addr uint64) {
		if at < 0 {
			at = 0
		}
		d := frameDecoder{in: bytes.NewReader(data), base: 0}
		_, _ = d.rule(at, addr)
		_, _ = searchFrames(bytes.NewReader(data), 0, uint64(len(data)), addr)
	})
}

// FuzzDWARF changes the debug information of a program of gcc's.
func FuzzDWARF(f *testing.F) {
	privilege.Program(f, "gcc", "hostile debug information")
	in, err := os.Open(build(f, "subject.c", cSource, "gcc", "-O1", "-g", "-no-pie", "-o", "subject", "subject.c"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { in.Close() })
	file, err := newELF(in)
	if err != nil {
		f.Fatal(err)
	}
	sections := map[string][]byte{}
	for _, s := range dwarfSections {
		if section := file.Section(s.name); section != nil {
			b, err := section.Data()
			if err != nil {
				f.Fatal(err)
			}
			sections[s.name] = b
		}
	}
	main := file.Section(".text").Addr
	for at := range file.Section(".text").Size {
		if len(file.positions([]uint64{main + at})) == 1 {
			main += at
			break
		}
	}
	f.Add(uint8(0), []byte{4, 0, 0, 0, 5, 0}, main)
	f.Add(uint8(2), []byte{9, 0, 0, 0, 0xff, 0}, main)
	f.Fuzz(func(_ *testing.T, which uint8, changes []byte, addr uint64) {
		changed := &elfFile{File: &elf.File{}}
		for i, s := range dwarfSections {
			b := sections[s.name]
			if i == int(which)%len(dwarfSections) && len(b) > 0 {
				b = bytes.Clone(b)
				_, _ = patch(bytes.NewReader(b), changes, int64(len(b))).ReadAt(b, 0)
			}
			if b != nil {
				section := &elf.Section{ReaderAt: bytes.NewReader(b)}
				section.Name, section.Size, section.FileSize, section.Type = s.name, uint64(len(b)), uint64(len(b)), elf.SHT_PROGBITS
				changed.Sections = append(changed.Sections, section)
			}
		}
		changed.positions([]uint64{addr, addr + 1})
	})
}

func FuzzUnwind(f *testing.F) {
	f.Add(uint64(100), uint64(100), uint64(7), int64(16), int64(-16), true)
	f.Fuzz(func(t *testing.T, sp, bp, base uint64, offset, saved int64, bpSaved bool) {
		s := Stack{Addrs: []uint64{1, 2, 3}, SP: sp, BP: bp, Top: []uint64{2, 9, 3, 0, sp, bp, 3}}
		got := unwind(s, func(uint64) (rule, error) {
			return rule{base: base, offset: offset, bpSaved: bpSaved, saved: saved}, nil
		}, func(uint64) bool { return true })
		if len(got) == 0 || len(got) > maxAddrs || got[0] != 1 {
			t.Errorf("got %v", got)
		}
	})
}

func FuzzRole(f *testing.F) {
	f.Add("net/http.(*Transport).dialConn", "/usr/bin/x", "x.go")
	f.Add("App.main", "[jit]", "")
	f.Fuzz(func(t *testing.T, function, module, file string) {
		fr := Frame{Function: function, Module: module, File: file}
		fr.assign(module)
		goRole(function, module)
		if outer, ok := enclosing(function); ok && !strings.HasPrefix(function, outer+".") {
			t.Errorf("%q encloses %q", outer, function)
		}
		demangled(function)
		scriptRole(file)
	})
}
