package symbols

import (
	"bufio"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
)

// pclntab reads the table that a Go program carries for its own tracebacks, so
// stripping does not touch it (runtime/symtab.go). It reads what a lookup needs
// and keeps nothing: tables of large programs have 100 MB. debug/gosym, which has
// no inlined calls, would keep all functions of all programs in memory.
type pclntab struct {
	data  io.ReaderAt
	text  uint64 // the address of runtime.text
	funcs uint64 // number of functions

	names, units, files, values, table int64 // where the parts begin in data

	// inlining reads what lies behind moduledata.gofunc; nil where that is not known.
	inlining io.ReaderAt
}

// The formats since Go 1.18, by their magic numbers (internal/abi/symtab.go).
const (
	pclntab118 = 0xfffffff0
	pclntab120 = 0xfffffff1
)

// Bounds on a Go program's table.
const (
	maxFuncs  = 1 << 23
	maxSteps  = 1 << 15 // of one pc-value table
	maxValues = 1 << 17 // its bytes
	maxInline = 64      // calls inlined into one
)

// goCall is one function of a Go program, or one inlined into it.
type goCall struct {
	function, file string
	line           int
	entry          uint64 // of the function whose machine code it is
}

// newPclntab reads the header of a table at the address base. The places of
// text and of the inlining trees come from the program's moduledata.
func newPclntab(data io.ReaderAt, base uint64, p *elfFile) (*pclntab, error) {
	var head [72]byte
	if _, err := data.ReadAt(head[:], 0); err != nil {
		return nil, fmt.Errorf("gopclntab: %w", err)
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(head[8+8*i:]) }
	magic := binary.LittleEndian.Uint32(head[:])
	if magic != pclntab118 && magic != pclntab120 || head[7] != 8 || (head[6] != 1 && head[6] != 4) || word(0) > maxFuncs {
		return nil, fmt.Errorf("gopclntab of an unknown form: %w", errMalformed)
	}
	for i := 3; i <= 7; i++ {
		if word(i) > math.MaxInt32 {
			return nil, fmt.Errorf("gopclntab: %w", errMalformed)
		}
	}
	t := &pclntab{
		data: data, text: word(2), funcs: word(0),
		names: int64(word(3)), units: int64(word(4)), files: int64(word(5)), values: int64(word(6)), table: int64(word(7)),
	}
	// Before 1.26 the header has text's address, though in a PIE not in place.
	md, found := p.findModuledata(base, base+word(3))
	switch {
	case found:
		t.text = md.text
		if magic == pclntab120 {
			t.inlining = p.at(md.gofunc)
		}
	case t.text == 0:
		section := p.Section(".text") // right unless C code was linked in before
		if section == nil {
			return nil, fmt.Errorf("gopclntab without text: %w", errMalformed)
		}
		t.text = section.Addr
	}
	return t, nil
}

// word4 reads a number of four bytes.
func word4(r io.ReaderAt, at int64) (uint32, error) {
	var b [4]byte
	if _, err := r.ReadAt(b[:], at); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b[:]), nil
}

// text4 reads a string that ends in NUL, or its beginning.
func text4(r io.ReaderAt, at int64) (string, error) {
	b := make([]byte, 128)
	for done := 0; ; {
		n, err := r.ReadAt(b[done:], at+int64(done))
		for i := done; i < done+n; i++ {
			if b[i] == 0 {
				return clip(string(b[:i]), maxText), nil
			}
		}
		if err != nil {
			return "", err
		}
		if done = len(b); done >= maxText {
			return clip(string(b), maxText), nil
		}
		b = append(b, make([]byte, len(b))...)
	}
}

// goFunc is a _func record (runtime/runtime2.go): its place, and what was read of it.
type goFunc struct {
	at       int64
	entry    uint64
	name     uint32
	file     uint32 // pc-value tables
	line     uint32
	unit     uint32
	npcdata  uint32
	nfuncs   uint8 // number of funcdata
	headSize int64
}

// find returns the function that contains pc.
func (t *pclntab) find(pc uint64) (goFunc, error) {
	off := pc - t.text
	if pc < t.text || off > math.MaxUint32 || t.funcs == 0 {
		return goFunc{}, io.EOF
	}
	// Entries are entryoff, funcoff; the last has the end alone.
	low, high := uint64(0), t.funcs
	for low < high {
		mid := (low + high) / 2
		end, err := word4(t.data, t.table+8*int64(mid+1))
		if err != nil {
			return goFunc{}, err
		}
		if uint64(end) <= off {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == t.funcs {
		return goFunc{}, io.EOF
	}
	at, err := word4(t.data, t.table+8*int64(low)+4)
	if err != nil {
		return goFunc{}, err
	}
	f := goFunc{at: t.table + int64(at)}
	var head [44]byte
	if _, err := t.data.ReadAt(head[:], f.at); err != nil {
		return goFunc{}, err
	}
	field := func(i int) uint32 { return binary.LittleEndian.Uint32(head[4*i:]) }
	f.entry, f.name, f.file, f.line, f.npcdata, f.unit = t.text+uint64(field(0)), field(1), field(5), field(6), field(7), field(8)
	// startLine came with 1.20, which is when inlining is read from.
	f.headSize, f.nfuncs = 44, head[43]
	if t.inlining == nil {
		f.nfuncs = 0
	}
	if f.entry > pc || f.npcdata > 64 {
		return goFunc{}, errMalformed
	}
	return f, nil
}

// value looks pc up in a pc-value table: pairs of varints, each the change of
// value and of pc (https://go.dev/s/go12symtab).
func (t *pclntab) value(table uint32, entry, pc uint64) (int32, error) {
	if table == 0 {
		return -1, nil
	}
	in := bufio.NewReaderSize(io.NewSectionReader(t.data, t.values+int64(table), maxValues), 256)
	value, at := int32(-1), entry
	for i := range maxSteps {
		delta, err := binary.ReadUvarint(in)
		if err != nil {
			return -1, err
		}
		if delta == 0 && i > 0 {
			break
		}
		step, err := binary.ReadUvarint(in)
		if err != nil {
			return -1, err
		}
		value += int32(uint32(delta>>1) ^ -uint32(delta&1)) //nolint:gosec // zigzag of 32 bits
		if at += step; pc < at {
			return value, nil
		}
	}
	return -1, errMalformed
}

// calls names pc, innermost inlined call first.
func (t *pclntab) calls(pc uint64) ([]goCall, error) {
	f, err := t.find(pc)
	if err != nil {
		return nil, err
	}
	tree, err := t.inlineTree(f)
	if err != nil {
		tree = 0
	}
	var calls []goCall
	for len(calls) < maxInline {
		call := goCall{entry: f.entry}
		call.file, call.line = t.source(f, pc)
		inlined, parent := uint32(0), uint64(0)
		if tree != 0 {
			inlined, parent = t.inlinedAt(f, tree, pc)
		}
		if inlined == 0 {
			if call.function, err = t.name(f.name); err != nil {
				return calls, err
			}
			return append(calls, call), nil
		}
		if call.function, err = t.name(inlined); err != nil {
			return calls, err
		}
		calls = append(calls, call)
		pc = parent
	}
	return calls, errMalformed
}

// name reads a function's name. Type arguments become [...], as in tracebacks: the
// compiler's own are of use to nobody.
func (t *pclntab) name(off uint32) (string, error) {
	name, err := text4(t.data, t.names+int64(off))
	if open, last := strings.IndexByte(name, '['), strings.LastIndexByte(name, ']'); open >= 0 && open < last {
		name = name[:open] + "[...]" + name[last+1:]
	}
	return name, err
}

func (t *pclntab) source(f goFunc, pc uint64) (file string, line int) {
	number, err := t.value(f.line, f.entry, pc)
	if err != nil || number < 0 {
		return "", 0
	}
	index, err := t.value(f.file, f.entry, pc)
	if err != nil || index < 0 {
		return "", 0
	}
	at, err := word4(t.data, t.units+4*(int64(f.unit)+int64(index)))
	if err != nil || at == math.MaxUint32 {
		return "", 0
	}
	file, err = text4(t.data, t.files+int64(at))
	if err != nil {
		return "", 0
	}
	return file, int(number)
}

// Of the tables behind a _func (internal/abi/symtab.go): PCDATA_InlTreeIndex,
// FUNCDATA_InlTree.
const (
	pcdataInlineIndex  = 2
	funcdataInlineTree = 3
)

// inlineTree returns where a function's inlinedCalls are behind gofunc, plus
// one; 0 means that nothing was inlined.
func (t *pclntab) inlineTree(f goFunc) (int64, error) {
	if f.nfuncs <= funcdataInlineTree || f.npcdata <= pcdataInlineIndex {
		return 0, nil
	}
	off, err := word4(t.data, f.at+f.headSize+4*int64(f.npcdata)+4*funcdataInlineTree)
	if err != nil || off == math.MaxUint32 {
		return 0, err
	}
	return int64(off) + 1, nil
}

// inlinedAt returns the name of the call that was inlined at pc, and the address
// of that call.
func (t *pclntab) inlinedAt(f goFunc, tree int64, pc uint64) (name uint32, parent uint64) {
	table, err := word4(t.data, f.at+f.headSize+4*pcdataInlineIndex)
	if err != nil {
		return 0, 0
	}
	index, err := t.value(table, f.entry, pc)
	if err != nil || index < 0 {
		return 0, 0
	}
	var call [16]byte // runtime/symtabinl.go, inlinedCall
	if _, err := t.inlining.ReadAt(call[:], tree-1+16*int64(index)); err != nil {
		return 0, 0
	}
	return binary.LittleEndian.Uint32(call[4:]), f.entry + uint64(binary.LittleEndian.Uint32(call[8:]))
}

// moduledata is what is wanted of a Go program's runtime.firstmoduledata.
type moduledata struct{ text, gofunc uint64 }

// Where the fields are in runtime.moduledata, the same from Go 1.20 to 1.26, and
// how much of it is looked at.
const (
	moduledataText   = 176
	moduledataGofunc = 320
	moduledataSize   = 328
	maxModuledata    = 64 << 20
)

// findModuledata searches for the structure that begins with the addresses of
// pclntab and of its names. Since Go 1.26 it has a section of its own.
func (p *elfFile) findModuledata(pclntab, names uint64) (moduledata, bool) {
	if p.Type == elf.ET_DYN {
		if md, ok := p.relocatedModuledata(pclntab); ok {
			return md, true
		}
	}
	for _, name := range []string{".go.module", ".noptrdata", ".data"} {
		s := p.Section(name)
		if s == nil || s.Type != elf.SHT_PROGBITS {
			continue
		}
		in := bufio.NewReaderSize(io.NewSectionReader(s.ReaderAt, 0, min(int64(s.Size), maxModuledata)), 64<<10)
		for {
			head, err := in.Peek(moduledataSize)
			if err != nil {
				break
			}
			word := func(at int) uint64 { return binary.LittleEndian.Uint64(head[at:]) }
			if word(0) == pclntab && word(8) == names && p.executable(word(moduledataText)) {
				return moduledata{word(moduledataText), word(moduledataGofunc)}, true
			}
			if _, err := in.Discard(8); err != nil {
				break
			}
		}
	}
	return moduledata{}, false
}

// relocatedModuledata finds it in a PIE, whose pointers are not in place: the
// dynamic linker's table says which goes where.
func (p *elfFile) relocatedModuledata(pclntab uint64) (moduledata, bool) {
	type slot struct{ pointer, text, gofunc uint64 }
	slots := map[uint64]*slot{} // by the address of a moduledata
	p.relocations(func(at, value uint64) bool {
		if value == pclntab && len(slots) < 64 {
			slots[at] = &slot{pointer: value}
		}
		return true
	})
	var md moduledata
	p.relocations(func(at, value uint64) bool {
		if s := slots[at-moduledataText]; s != nil && p.executable(value) {
			s.text = value
		}
		if s := slots[at-moduledataGofunc]; s != nil {
			s.gofunc = value
		}
		return true
	})
	for _, s := range slots {
		if s.text != 0 {
			md = moduledata{s.text, s.gofunc}
		}
	}
	return md, md.text != 0
}
