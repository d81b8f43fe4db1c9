package symbols

import (
	"bufio"
	"debug/elf"
	"encoding/binary"
	"io"
	"slices"
	"strings"

	"github.com/ianlancetaylor/demangle"
)

// symbol is a function of a symbol table.
type symbol struct {
	name       string
	start, end uint64
	rank       int
}

// Bounds on the walk of one table: how many symbols (Chrome has half a million), and
// how many names are read of those that contain an address.
const (
	maxSymbols = 1 << 22
	maxNames   = 1 << 14
)

// symbols finds the functions of the addresses, in one pass of each symbol
// table and without keeping one: few names are ever wanted of a table.
func (p *elfFile) symbols(addrs []uint64) map[uint64]symbol {
	found := map[uint64]symbol{}
	sorted := slices.Compact(slices.Sorted(slices.Values(addrs)))
	for _, s := range p.Sections {
		if s.Type != elf.SHT_SYMTAB && s.Type != elf.SHT_DYNSYM || s.Flags&elf.SHF_COMPRESSED != 0 || int(s.Link) >= len(p.Sections) {
			continue
		}
		p.walk(s, p.Sections[s.Link], sorted, found)
	}
	for addr, s := range found {
		s.name = demangled(s.name)
		found[addr] = s
	}
	return found
}

func (p *elfFile) walk(table, strings *elf.Section, sorted []uint64, found map[uint64]symbol) {
	in := bufio.NewReaderSize(io.NewSectionReader(table.ReaderAt, 0, int64(min(table.Size, 24*maxSymbols))), 64<<10)
	var sym [24]byte
	for names := 0; names < maxNames; {
		if _, err := io.ReadFull(in, sym[:]); err != nil {
			return
		}
		kind := elf.ST_TYPE(sym[4])
		section := elf.SectionIndex(binary.LittleEndian.Uint16(sym[6:]))
		if kind != elf.STT_FUNC && kind != elf.STT_GNU_IFUNC && kind != elf.STT_NOTYPE || section == elf.SHN_UNDEF || section == elf.SHN_ABS {
			continue
		}
		start, size := binary.LittleEndian.Uint64(sym[8:]), binary.LittleEndian.Uint64(sym[16:])
		if size == 0 {
			// Assembly without a size; it ends where its section does, at the latest.
			if int(section) >= len(p.Sections) || p.Sections[section].Flags&elf.SHF_EXECINSTR == 0 {
				continue
			}
			size = p.Sections[section].Addr + p.Sections[section].Size - start
		}
		i, _ := slices.BinarySearch(sorted, start)
		for ; i < len(sorted) && sorted[i]-start < size; i++ {
			s := symbol{start: start, end: start + size, rank: 0}
			if binary.LittleEndian.Uint64(sym[16:]) == 0 {
				s.rank = -100
			}
			if old, ok := found[sorted[i]]; ok && !nearer(s, old) {
				continue
			}
			names++
			name, err := text4(strings.ReaderAt, int64(binary.LittleEndian.Uint32(sym[:])))
			if err != nil || name == "" {
				continue
			}
			s.rank += rank(name, elf.ST_BIND(sym[4]))
			if old, ok := found[sorted[i]]; !ok || better(s, old) {
				s.name = name
				found[sorted[i]] = s
			}
		}
	}
}

// rank prefers, of several names of one function, the one that people write.
func rank(name string, bind elf.SymBind) int {
	r := 0
	if bind != elf.STB_LOCAL {
		r = 2
	}
	if !strings.HasPrefix(name, "_") || strings.HasPrefix(name, "_Z") || strings.HasPrefix(name, "_R") {
		r++
	}
	return r
}

// nearer tells whether s may be better than old, before its name is read.
func nearer(s, old symbol) bool {
	if (s.rank < 0) != (old.rank < 0) {
		return old.rank < 0
	}
	return s.start >= old.start
}

func better(s, old symbol) bool {
	switch {
	case (s.rank < 0) != (old.rank < 0):
		return old.rank < 0
	case s.start != old.start:
		return s.start > old.start
	case s.rank != old.rank:
		return s.rank > old.rank
	}
	return len(s.name) < len(old.name)
}

// demangled turns a C++ or Rust name into what was written. Their names grow
// exponentially by design, so what is read and what comes out are bounded.
func demangled(mangled string) (name string) {
	name, _, _ = strings.Cut(mangled, "@") // the version of a dynamic symbol
	if !strings.HasPrefix(name, "_Z") && !strings.HasPrefix(name, "_R") {
		return name
	}
	defer func() { _ = recover() }() // of a hostile name what was written remains
	// MaxLength is a power of two.
	return clip(demangle.Filter(name, demangle.NoClones, demangle.NoParams, demangle.MaxLength(11)), maxText)
}
