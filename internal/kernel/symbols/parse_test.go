package symbols

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// tables is a file that has only a symbol table and one section of code.
func tables(table, names []byte) *elfFile {
	section := func(kind elf.SectionType, data []byte) *elf.Section {
		s := &elf.Section{ReaderAt: bytes.NewReader(data)}
		s.Type, s.Size, s.Link = kind, uint64(len(data)), 2
		return s
	}
	code := section(elf.SHT_PROGBITS, make([]byte, 0x100))
	code.Addr, code.Flags = 0x1000, elf.SHF_EXECINSTR
	return &elfFile{File: &elf.File{Sections: []*elf.Section{section(elf.SHT_SYMTAB, table), code, section(elf.SHT_STRTAB, names)}}}
}

func TestMapsKeepsExecutableMappings(t *testing.T) {
	all, err := parseMaps(strings.NewReader(
		"00400000-00401000 r--p 00000000 fe:00 77                                 /bin/a\n" +
			"00401000-00403000 r-xp 00001000 fe:00 77                                 /bin/a b\\012c (deleted)\n" +
			"7f0000000000-7f0000001000 rwxp 00000000 00:00 0 \n" +
			"7ffff7fc1000-7ffff7fc3000 r-xp 00000000 00:00 0                          [vdso]\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []mapping{
		{start: 0x401000, end: 0x403000, offset: 0x1000, dev: "fe:00", inode: 77, path: "/bin/a b\nc", deleted: true},
		{start: 0x7f0000000000, end: 0x7f0000001000, dev: "00:00"},
		{start: 0x7ffff7fc1000, end: 0x7ffff7fc3000, dev: "00:00", path: "[vdso]"},
	}
	if !slices.Equal(all, want) {
		t.Errorf("got %+v", all)
	}
	for addr, ok := range map[uint64]bool{0x400fff: false, 0x401000: true, 0x402fff: true, 0x403000: false, 0: false, ^uint64(0): false} {
		if _, found := mappingOf(all, addr); found != ok {
			t.Errorf("%#x: found %v", addr, found)
		}
	}
	if all[0].fileOffset(0x401010) != 0x1010 {
		t.Error("wrong offset")
	}
	for _, bad := range []string{"x", "2-1 r-xp 0 0:0 0", "1-2 r-x 0 0:0 0", "1-2 r-xp ffffffffffffffff 0:0 0", "1-2 r-xp 0 0:0 z"} {
		if _, err := parseMaps(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestPerfMapsLastLineCounts(t *testing.T) {
	found, err := parsePerfMap(strings.NewReader(
		"100 20 old\nnonsense\n0x100 0x10 JS:*new file:///srv/a b.js:7:3\n1f0 20 "+strings.Repeat("long", 2000)+"\n300 10 int A.b(int)\n300 0 empty\nffff"),
		[]uint64{0x10f, 0x110, 0x11f, 0x120, 0x1f0, 0x305})
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[uint64]string{0x10f: "JS:*new file:///srv/a b.js:7:3", 0x110: "old", 0x11f: "old", 0x305: "int A.b(int)", 0x120: ""} {
		if found[addr].name != want {
			t.Errorf("%#x: %q, want %q", addr, found[addr].name, want)
		}
	}
	if got := found[0x1f0]; !strings.HasPrefix(got.name, "longlong") || len(got.name) > maxText+3 {
		t.Errorf("a long name became %d bytes", len(got.name))
	}
}

func TestNamesOfVirtualMachines(t *testing.T) {
	for _, row := range []struct {
		name, function, file string
		line                 int
		ok                   bool
	}{
		{"JS:~openUpstream /srv/app.js:5:22", "openUpstream", "/srv/app.js", 5, true},
		{"LazyCompile:*fetchAll file:///srv/a.mjs:12", "fetchAll", "/srv/a.mjs", 12, true},
		{"JS:^internalConnect node:net:1038:25", "internalConnect", "node:net", 1038, true},
		{"JS:~ node:net:1326:7", "", "node:net", 1326, true},
		{"JS:~main", "main", "", 0, true},
		{"JS:~f strange", "f", "strange", 0, true},
		{"Builtin:ArrayMap", "", "", 0, false},
		{"int App.read(byte[])", "", "", 0, false},
	} {
		function, file, line, ok := scripted(row.name)
		if function != row.function || file != row.file || line != row.line || ok != row.ok {
			t.Errorf("%q: %q %q %d %v", row.name, function, file, line, ok)
		}
	}
	for name, want := range map[string]string{
		"int sun.nio.ch.Net.connect0(boolean, java.io.FileDescriptor)": "sun.nio.ch.Net.connect0",
		"void App.<init>()": "App.<init>",
		"StubRoutines (1)":  "StubRoutines (1)",
		"Interpreter":       "Interpreter",
	} {
		if got := method(name); got != want {
			t.Errorf("%q became %q", name, got)
		}
	}
}

func TestMountsOfFUSE(t *testing.T) {
	m := parseMounts(strings.NewReader(
		"22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n" +
			"30 22 0:300 / /home/a rw - fuse.sshfs a@b: rw\n31 22 8:1 / /win rw - fuseblk /dev/sda1 rw\nnonsense\n"))
	if m.kinds["fe:00"] != "ext4" || m.kinds["00:12c"] != "fuse.sshfs" || foreign(m.kinds["08:01"]) {
		t.Errorf("got %v", m.kinds)
	}
	for path, want := range map[string]bool{"/home/a/x": true, "/home/a": true, "/home/ab": false, "/": false, "/win/x": false} {
		if m.foreignPath(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}

// description is a CIE and an FDE of gcc's, for a function of 0x40 bytes at 0x1000
// which pushes the frame pointer.
var description = []byte{
	0x14, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x04, // CIE: udata8, for a plain address
	0x0c, 7, 8, 0x90, 1, 0, 0,
	0x28, 0, 0, 0, 0x1c, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0,
	0x41, 0x0e, 16, 0x86, 2, // after one byte: def_cfa_offset 16, rbp at -16
	0x43, 0x0d, 6, // after three more: def_cfa_register rbp
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
}

func TestRules(t *testing.T) {
	d := frameDecoder{in: bytes.NewReader(description)}
	for addr, want := range map[uint64]rule{
		0x1000: {base: dwarfSP, offset: 8},
		0x1001: {base: dwarfSP, offset: 16, bpSaved: true, saved: -16},
		0x1004: {base: dwarfBP, offset: 16, bpSaved: true, saved: -16},
		0x103f: {base: dwarfBP, offset: 16, bpSaved: true, saved: -16},
	} {
		if got, err := d.rule(24, addr); err != nil || got != want {
			t.Errorf("%#x: %+v, %v", addr, got, err)
		}
	}
	for _, addr := range []uint64{0xfff, 0x1040} {
		if r, err := d.rule(24, addr); err == nil {
			t.Errorf("%#x: %+v", addr, r)
		}
	}
}

// TestHiddenCallersTakeTheirPlace: h1 and h2 are what frame pointers do not show.
func TestHiddenCallersTakeTheirPlace(t *testing.T) {
	const wrapper, h1, h2, caller, outer = 10, 21, 22, 30, 40
	byStack := rule{base: dwarfSP, offset: 16}
	for _, row := range []struct {
		name  string
		addrs []uint64
		top   []uint64
		rules map[uint64]rule
		call  bool // words follow calls
		want  []uint64
	}{
		{"nothing known", []uint64{wrapper, caller}, []uint64{h1}, nil, false, []uint64{wrapper, caller}},
		{"a call before it", []uint64{wrapper, caller}, []uint64{h1}, nil, true, []uint64{wrapper, h1, caller}},
		{"shown already", []uint64{wrapper, caller}, []uint64{caller}, nil, true, []uint64{wrapper, caller}},
		{"a rule", []uint64{wrapper, caller}, []uint64{7, h1}, map[uint64]rule{wrapper: byStack}, true, []uint64{wrapper, h1, caller}},
		{"a rule, and too few words", []uint64{wrapper, caller}, []uint64{h1}, map[uint64]rule{wrapper: byStack}, true, []uint64{wrapper, caller}},
		{"two rules", []uint64{wrapper, outer}, []uint64{7, h1, 8, h2}, map[uint64]rule{wrapper: byStack, h1: byStack}, true, []uint64{wrapper, h1, h2, outer}},
		{"up to the pointers", []uint64{wrapper, caller, outer}, []uint64{7, h1, 8, caller}, map[uint64]rule{wrapper: byStack, h1: byStack}, true, []uint64{wrapper, h1, caller, outer}},
		{"the outermost", []uint64{wrapper, 99}, []uint64{7, h1}, map[uint64]rule{wrapper: byStack, h1: {outermost: true}}, true, []uint64{wrapper, h1}},
		{"beyond what was recorded", []uint64{wrapper}, []uint64{7}, map[uint64]rule{wrapper: byStack}, false, []uint64{wrapper}},
		{"a frame that does not grow", []uint64{wrapper}, []uint64{7, 8}, map[uint64]rule{wrapper: {base: dwarfSP}}, false, []uint64{wrapper}},
	} {
		got := unwind(Stack{Addrs: row.addrs, Top: row.top}, func(addr uint64) (rule, error) {
			if r, ok := row.rules[addr+1]; ok {
				return r, nil
			}
			return rule{}, errNoRule
		}, func(uint64) bool { return row.call })
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

// TestLineTablesThatPretendToBeHuge: debug/dwarf would allocate what they say.
func TestLineTablesThatPretendToBeHuge(t *testing.T) {
	table := func(tail ...byte) []byte {
		b := append([]byte{0, 0, 0, 0, 5, 0, 8, 0, 0, 0, 0, 0, 1, 1, 1, 0xfb, 14, 3, 0, 1}, tail...)
		b[0] = byte(len(b) - 4)
		return b
	}
	for name, row := range map[string]struct {
		tail []byte
		want bool
	}{
		"a folder and a file":         {[]byte{1, 1, 0x08, 1, 'd', 0, 1, 1, 0x08, 1, 'f', 0}, true},
		"2^40 folders":                {[]byte{1, 1, 0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}, false},
		"2^40 folders of no size":     {[]byte{0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}, false},
		"100 files":                   {[]byte{0, 0, 1, 1, 0x08, 100, 'f', 0}, false},
		"a form of no line table":     {[]byte{1, 1, 0x21, 1, 0, 0}, false},
		"an end in the middle":        {[]byte{1, 1}, false},
		"2^40 bytes of block, a file": {[]byte{0, 0, 1, 1, 0x09, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}, false},
	} {
		if got := soundLines(table(row.tail...), 0); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, at := range []int64{-1, 100} {
		if soundLines(table(), at) {
			t.Errorf("offset %d is taken", at)
		}
	}
}

func TestAfterCall(t *testing.T) {
	for code, want := range map[string]bool{
		"\x90\x90\x90\xe8\x00\x00\x00\x00": true,  // call rel32
		"\x90\x90\x90\x90\x90\x90\xff\xd0": true,  // call *%rax
		"\x90\x90\xff\x15\x00\x00\x00\x00": true,  // call *0(%rip)
		"\x90\x90\x90\x90\x90\xff\x50\x08": true,  // call *8(%rax)
		"\x90\x90\x90\x90\x90\x90\xff\xe0": false, // jmp *%rax
		"\x90\x90\x90\x90\x90\x90\x90\x90": false,
	} {
		if got := afterCall([8]byte([]byte(code))); got != want {
			t.Errorf("% x: %v", code, got)
		}
	}
}

func TestSymbolsPreferNamesPeopleWrite(t *testing.T) {
	names := []byte("\x00__libc_recv\x00recv\x00local\x00_ZN3app6Client4openERKSs\x00")
	sym := func(name string, info byte, start, size uint64) []byte {
		b := make([]byte, 24)
		b[0], b[4], b[6] = byte(bytes.Index(names, append([]byte(name), 0))), info, 1
		for i := range 8 {
			b[8+i], b[16+i] = byte(start>>(8*i)), byte(size>>(8*i))
		}
		return b
	}
	const global, local = 0x12, 0x02
	found := tables(slices.Concat(sym("__libc_recv", global, 0x1000, 16), sym("recv", global, 0x1000, 16), sym("local", local, 0x1000, 16),
		sym("local", local, 0x1040, 0), sym("_ZN3app6Client4openERKSs", global, 0x1050, 8)), names).symbols([]uint64{0x100f, 0x1010, 0x1048, 0x1057, 0x2000})
	got := map[string]bool{}
	for addr, s := range found {
		got[fmt.Sprintf("%#x %s", addr, s.name)] = true
	}
	for _, want := range []string{"0x100f recv", "0x1048 local", "0x1057 app::Client::open"} {
		if !got[want] {
			t.Errorf("%s is missing in %v", want, got)
		}
	}
	if len(got) != 3 {
		t.Errorf("got %v", got)
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache(10_000)
	for i := range uint64(1000) {
		c.put(key{"m", i}, []Frame{{Function: strings.Repeat("x", 100)}})
		c.get(key{"m", 0})
	}
	if c.size > 10_000 || len(c.entries) != c.order.Len() || c.order.Len() < 10 {
		t.Errorf("%d bytes, %d entries, %d in order", c.size, len(c.entries), c.order.Len())
	}
	if _, ok := c.get(key{"m", 0}); !ok {
		t.Error("what is used was dropped")
	}
	c.put(key{"m", 0}, nil)
	for len(c.entries) > 0 {
		c.drop(c.order.Back())
	}
	if c.size != 0 {
		t.Errorf("%d bytes of nothing", c.size)
	}
}

// endless repeats a line.
type endless struct {
	line string
	at   int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		c := copy(p[n:], e.line[e.at:])
		n, e.at = n+c, (e.at+c)%len(e.line)
	}
	return n, nil
}

// A map in which every line covers every address of a stack took 10 s, and a stranger
// may have as many stacks as he likes.
func TestAPerfMapIsNotReadForLong(t *testing.T) {
	var addrs []uint64
	for i := range uint64(maxAddrs) {
		addrs = append(addrs, 0x7f0000000000+64*i)
	}
	found, err := parsePerfMap(&endless{line: "0 ffffffffffffffff everything\n"}, addrs)
	if !errors.Is(err, errSlow) || found[addrs[0]].name != "everything" {
		t.Errorf("found %d functions, %v", len(found), err)
	}
}
