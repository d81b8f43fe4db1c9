package symbols

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
)

// rule says how to get from one frame to its caller (the call frame
// information of .eh_frame; DWARF 5 §6.4, with the LSB's changes).
type rule struct {
	// The frame's end, the value of the stack pointer before the call, is
	// register base plus offset.
	base   uint64
	offset int64
	// The frame pointer was saved at the frame's end plus saved, if it was.
	bpSaved bool
	saved   int64
	// The return address is just below the frame's end; outermost says that there
	// is none.
	outermost bool
}

// Registers as x86-64's ABI numbers them in DWARF.
const (
	dwarfBP = 6
	dwarfSP = 7
	dwarfRA = 16
)

// maxEntry bounds one entry of .eh_frame, maxInstructions what is run of it.
const (
	maxEntry        = 64 << 10
	maxInstructions = 4096
)

var errNoRule = errors.New("no call frame information")

// unwindRule finds the rule for an address of an x86-64 file.
func (p *elfFile) unwindRule(addr uint64) (rule, error) {
	hdr, frames := p.Section(".eh_frame_hdr"), p.Section(".eh_frame")
	if hdr == nil || frames == nil || p.Machine != elf.EM_X86_64 {
		return rule{}, errNoRule
	}
	at, err := searchFrames(hdr, hdr.Addr, hdr.Size, addr)
	if err != nil || at < frames.Addr || at-frames.Addr >= frames.Size {
		return rule{}, errNoRule
	}
	d := frameDecoder{in: frames, base: frames.Addr}
	return d.rule(int64(at-frames.Addr), addr)
}

// searchFrames returns the address of the frame description that starts last
// before addr, from the sorted table of .eh_frame_hdr (LSB, §10.6.2).
func searchFrames(hdr io.ReaderAt, base, size, addr uint64) (uint64, error) {
	var head [12]byte
	if _, err := hdr.ReadAt(head[:], 0); err != nil {
		return 0, err
	}
	// Version 1; pc-relative pointer of 4 bytes; count of 4; table of pairs of 4
	// relative to the section: the one form that linkers write.
	if head[0] != 1 || head[2] != 0x03 || head[3] != 0x3b {
		return 0, errNoRule
	}
	count := uint64(binary.LittleEndian.Uint32(head[8:]))
	if count > size/8 {
		return 0, errMalformed
	}
	pair := func(i uint64) (start, at uint64, err error) {
		var b [8]byte
		_, err = hdr.ReadAt(b[:], 12+8*int64(i))
		return base + uint64(int64(int32(binary.LittleEndian.Uint32(b[:])))), base + uint64(int64(int32(binary.LittleEndian.Uint32(b[4:])))), err
	}
	low, high := uint64(0), count
	for low < high {
		mid := (low + high) / 2
		start, _, err := pair(mid)
		if err != nil {
			return 0, err
		}
		if start <= addr {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == 0 {
		return 0, errNoRule
	}
	_, at, err := pair(low - 1)
	return at, err
}

// frameDecoder decodes .eh_frame, which lies at the address base.
type frameDecoder struct {
	in   io.ReaderAt
	base uint64
}

// cie is what descriptions have in common.
type cie struct {
	codeAlign    uint64
	dataAlign    int64
	encoding     byte
	augmented    bool
	instructions cursor
}

func (d frameDecoder) entry(at int64) (cursor, error) {
	var size [4]byte
	if _, err := d.in.ReadAt(size[:], at); err != nil {
		return cursor{}, err
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n < 4 || n > maxEntry {
		return cursor{}, errMalformed
	}
	b := make([]byte, n)
	if _, err := d.in.ReadAt(b, at+4); err != nil && err != io.EOF {
		return cursor{}, err
	}
	return cursor{data: b, addr: d.base + uint64(at) + 4}, nil
}

// rule runs the description at an offset up to addr.
func (d frameDecoder) rule(at int64, addr uint64) (rule, error) {
	fde, err := d.entry(at)
	if err != nil {
		return rule{}, err
	}
	back := fde.u32()
	if back == 0 || int64(back) > at+4 {
		return rule{}, errMalformed
	}
	c, err := d.cie(at + 4 - int64(back))
	if err != nil {
		return rule{}, err
	}
	start := fde.pointer(c.encoding)
	size := fde.pointer(c.encoding & 0x0f) // a length is not relative to anything
	if c.augmented {
		fde.skip(fde.uleb())
	}
	if fde.err || addr < start || addr-start >= size {
		return rule{}, errNoRule
	}
	m := machine{cie: c, want: addr, at: start}
	if err := m.run(c.instructions); err != nil {
		return rule{}, err
	}
	m.initial = m.now
	if err := m.run(fde); err != nil && !errors.Is(err, errReached) {
		return rule{}, err
	}
	if m.now.outermost {
		return m.now, nil
	}
	if m.raMoved || (m.now.base != dwarfSP && m.now.base != dwarfBP) {
		return rule{}, errNoRule
	}
	return m.now, nil
}

func (d frameDecoder) cie(at int64) (cie, error) {
	in, err := d.entry(at)
	if err != nil {
		return cie{}, err
	}
	if id := in.u32(); id != 0 {
		return cie{}, errMalformed
	}
	if version := in.u8(); version != 1 && version != 3 {
		return cie{}, errNoRule
	}
	augmentation := in.text()
	c := cie{codeAlign: in.uleb(), dataAlign: in.sleb()}
	if ra := in.uleb(); ra != dwarfRA {
		return cie{}, errNoRule
	}
	for i, letter := range augmentation {
		switch {
		case letter == 'z' && i == 0:
			c.augmented = true
			in.uleb()
		case letter == 'R':
			c.encoding = in.u8()
		case letter == 'P':
			in.pointer(in.u8() & 0x0f)
		case letter == 'L':
			in.u8()
		default: // 'S' is a signal's frame: the interrupted code's, not a caller's
			return cie{}, errNoRule
		}
	}
	if in.err {
		return cie{}, errMalformed
	}
	c.instructions = in
	return c, nil
}
