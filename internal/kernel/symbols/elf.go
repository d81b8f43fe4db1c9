package symbols

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
)

// elfFile is an ELF file of strangers. debug/elf checks what it parses itself;
// everything larger than a header is read piece by piece here.
type elfFile struct {
	*elf.File
	in io.ReaderAt
}

// budget bounds what is read of one file. debug/elf allocates only as it reads, so
// that bounds its memory too, whatever a sparse file pretends to hold, and also
// while somebody writes to it.
type budget struct {
	in   io.ReaderAt
	left int64
}

// What may be read of a file: its headers, and then the rest of it.
const (
	headBudget = 8 << 20
	bodyBudget = 1 << 30
)

var errBudget = errors.New("too large")

// ReadAt reads while the budget lasts.
func (b *budget) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errBudget
	}
	return b.in.ReadAt(p, off)
}

func newELF(in io.ReaderAt) (f *elfFile, err error) {
	defer func() { // debug/elf promises nothing for hostile files
		if recover() != nil {
			f, err = nil, errMalformed
		}
	}()
	limited := &budget{in, headBudget}
	file, err := elf.NewFile(limited)
	if err != nil {
		return nil, err
	}
	limited.left = bodyBudget
	if file.Class != elf.ELFCLASS64 || file.ByteOrder != binary.LittleEndian {
		return nil, errors.New("not a 64-bit little-endian file")
	}
	for _, section := range file.Sections {
		if section.ReaderAt == nil { // compressed, or without contents
			section.ReaderAt = bytes.NewReader(nil)
		}
	}
	return &elfFile{file, limited}, nil
}

// buildID returns the GNU build id in hexadecimal, or "".
func (p *elfFile) buildID() string {
	for _, s := range p.Sections {
		if s.Type == elf.SHT_NOTE && s.Size <= 64<<10 {
			if id := gnuBuildID(s); id != "" {
				return id
			}
		}
	}
	for _, s := range p.Progs {
		if s.Type == elf.PT_NOTE && s.Filesz <= 64<<10 {
			if id := gnuBuildID(s); id != "" {
				return id
			}
		}
	}
	return ""
}

// pclntab is the section of a Go program's line table, or nil.
func (p *elfFile) pclntab() *elf.Section {
	if s := p.Section(".gopclntab"); s != nil {
		return s
	}
	return p.Section(".data.rel.ro.gopclntab") // of a PIE
}

// noteBuildID is NT_GNU_BUILD_ID.
const noteBuildID = 3

func gnuBuildID(notes io.ReaderAt) string {
	var head [12]byte
	for at, i := int64(0), 0; i < 64; i++ {
		if _, err := notes.ReadAt(head[:], at); err != nil {
			return ""
		}
		nameSize, size := binary.LittleEndian.Uint32(head[:]), binary.LittleEndian.Uint32(head[4:])
		kind := binary.LittleEndian.Uint32(head[8:])
		if nameSize > 256 || size > 1<<16 {
			return ""
		}
		body := at + 12 + int64(nameSize+3)&^3
		if kind == noteBuildID && nameSize == 4 && size >= 2 && size <= 64 {
			name, id := make([]byte, 4), make([]byte, size)
			_, err := notes.ReadAt(name, at+12)
			_, err2 := notes.ReadAt(id, body)
			if err == nil && (err2 == nil || err2 == io.EOF) && string(name) == "GNU\x00" {
				return hex.EncodeToString(id)
			}
		}
		at = body + int64(size+3)&^3
	}
	return ""
}

// address is where the byte at a file's offset is in its address space.
func (p *elfFile) address(offset uint64) (uint64, bool) {
	for _, s := range p.Progs {
		// The first and last page of a segment may be shared with its neighbours.
		if s.Type == elf.PT_LOAD && s.Flags&elf.PF_X != 0 && offset >= s.Off && offset-s.Off < s.Filesz {
			return offset - s.Off + s.Vaddr, true
		}
	}
	return 0, false
}

func (p *elfFile) executable(addr uint64) bool {
	for _, s := range p.Progs {
		if s.Type == elf.PT_LOAD && s.Flags&elf.PF_X != 0 && addr >= s.Vaddr && addr-s.Vaddr < s.Filesz {
			return true
		}
	}
	return false
}

// at reads the file's bytes from an address on; nil where there are none.
func (p *elfFile) at(addr uint64) io.ReaderAt {
	for _, s := range p.Progs {
		if s.Type == elf.PT_LOAD && addr >= s.Vaddr && addr-s.Vaddr < s.Filesz {
			off := int64(addr - s.Vaddr)
			return io.NewSectionReader(s.ReaderAt, off, int64(s.Filesz)-off)
		}
	}
	return nil
}

// maxRelocations bounds a walk of relocations.
const maxRelocations = 1 << 23

// relocations calls each for every word that the dynamic linker puts in place by
// adding the load address (R_X86_64_RELATIVE, R_AARCH64_RELATIVE).
func (p *elfFile) relocations(each func(at, value uint64) bool) {
	relative := uint32(elf.R_X86_64_RELATIVE)
	if p.Machine == elf.EM_AARCH64 {
		relative = uint32(elf.R_AARCH64_RELATIVE)
	}
	for _, name := range []string{".rela.dyn", ".rela"} {
		s := p.Section(name)
		if s == nil || s.Type != elf.SHT_RELA {
			continue
		}
		in := bufio.NewReaderSize(io.NewSectionReader(s.ReaderAt, 0, int64(min(s.Size, 24*maxRelocations))), 64<<10)
		var rela [24]byte
		for {
			if _, err := io.ReadFull(in, rela[:]); err != nil {
				break
			}
			if binary.LittleEndian.Uint32(rela[8:]) == relative && !each(binary.LittleEndian.Uint64(rela[:]), binary.LittleEndian.Uint64(rela[16:])) {
				return
			}
		}
	}
}
