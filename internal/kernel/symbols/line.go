package symbols

import (
	"debug/dwarf"
	"encoding/binary"
	"slices"
	"time"
)

// position is a place in source code.
type position struct {
	file string
	line int
}

// debug/dwarf holds its sections in memory, and makes much of little: a pointer
// and a structure of every few bytes. So each section is bounded, and larger programs
// go without lines.
var dwarfSections = [...]struct {
	name string
	most uint64
}{
	{".debug_info", 64 << 20}, {".debug_abbrev", 4 << 20}, {".debug_line", 16 << 20}, {".debug_ranges", 16 << 20}, {".debug_str", 64 << 20},
	{".debug_addr", 16 << 20}, {".debug_line_str", 16 << 20}, {".debug_str_offsets", 16 << 20}, {".debug_rnglists", 16 << 20},
}

// Bounds on the search: of a hostile file each unit may refer to all ranges.
const (
	maxUnits = 1 << 16
	maxRows  = 1 << 20     // of the line table of one unit
	patience = time.Second // with one file
)

// positions finds file and line of addresses, by DWARF.
func (p *elfFile) positions(addrs []uint64) (found map[uint64]position) {
	found = map[uint64]position{}
	defer func() { _ = recover() }() // debug/dwarf promises nothing for hostile files
	data, units, line := p.dwarf()
	if data == nil {
		return found
	}
	wanted := slices.Compact(slices.Sorted(slices.Values(addrs)))
	in, until := data.Reader(), time.Now().Add(patience)
	for _, at := range units {
		if len(wanted) == 0 || time.Now().After(until) {
			break
		}
		in.Seek(at)
		unit, err := in.Next()
		if err != nil || unit == nil || unit.Tag != dwarf.TagCompileUnit {
			continue
		}
		table, ok := unit.Val(dwarf.AttrStmtList).(int64)
		ranges, err := data.Ranges(unit)
		if err != nil || !ok || !soundLines(line, table) {
			continue
		}
		var inside []uint64
		wanted = slices.DeleteFunc(wanted, func(addr uint64) bool {
			in := slices.ContainsFunc(ranges, func(r [2]uint64) bool { return r[0] <= addr && addr < r[1] })
			if in {
				inside = append(inside, addr)
			}
			return in
		})
		if len(inside) > 0 {
			unitPositions(data, unit, inside, found)
		}
	}
	return found
}

// dwarf reads the sections, and where each unit's first entry is; line is the
// section of line tables. All are nil where there is nothing, or too much.
func (p *elfFile) dwarf() (data *dwarf.Data, units []dwarf.Offset, line []byte) {
	content := map[string][]byte{}
	for _, s := range dwarfSections {
		section := p.Section(s.name)
		if section == nil {
			continue
		}
		if section.Size > s.most {
			return nil, nil, nil
		}
		b, err := section.Data()
		if err != nil {
			return nil, nil, nil
		}
		content[s.name] = b
	}
	info := content[".debug_info"]
	units, line = unitOffsets(info), content[".debug_line"]
	if len(units) == 0 || len(units) > maxUnits || line == nil {
		return nil, nil, nil
	}
	data, err := dwarf.New(content[".debug_abbrev"], nil, nil, info, line, nil, content[".debug_ranges"], content[".debug_str"])
	if err != nil {
		return nil, nil, nil
	}
	for _, s := range dwarfSections[5:] {
		if b := content[s.name]; b != nil {
			if err := data.AddSection(s.name, b); err != nil {
				return nil, nil, nil
			}
		}
	}
	return data, units, line
}

// unitOffsets finds the first entry of each unit (DWARF 5 §7.5.1), at most one
// more than maxUnits, and none of a form that compilers do not write.
func unitOffsets(info []byte) []dwarf.Offset {
	var units []dwarf.Offset
	for at := uint64(0); at+12 <= uint64(len(info)) && len(units) <= maxUnits; {
		size, version := binary.LittleEndian.Uint32(info[at:]), binary.LittleEndian.Uint16(info[at+4:])
		if size < 8 || size >= 0xfffffff0 {
			return nil
		}
		head := uint64(11)
		if version >= 5 {
			switch info[at+6] { // the kind of unit
			case 1, 3:
				head = 12
			case 4, 5:
				head = 20
			default:
				head = 24
			}
		}
		units = append(units, dwarf.Offset(at+head))
		at += 4 + uint64(size)
	}
	return units
}

// unitPositions looks sorted addresses up in the line table of their unit. Not by
// LineReader.SeekPC: it finds only what is in the order of addresses, and gcc puts
// main into a section of its own, before the others.
func unitPositions(data *dwarf.Data, unit *dwarf.Entry, addrs []uint64, found map[uint64]position) {
	lines, err := data.LineReader(unit)
	if err != nil || lines == nil {
		return
	}
	var row, next dwarf.LineEntry
	row.EndSequence = true
	for range maxRows {
		if err := lines.Next(&next); err != nil {
			return
		}
		if !row.EndSequence && row.File != nil {
			i, _ := slices.BinarySearch(addrs, row.Address)
			for ; i < len(addrs) && addrs[i] < next.Address; i++ {
				found[addrs[i]] = position{clip(row.File.Name, maxText), row.Line}
			}
		}
		row = next
	}
}
