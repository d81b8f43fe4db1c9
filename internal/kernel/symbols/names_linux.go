package symbols

import "maps"

// names finds the frames of addresses in a file, innermost inlined call first. An
// address without a name has one frame without a name, so that it is not looked
// up again.
func (m *module) names(addrs []uint64) map[uint64][]Frame {
	named := make(map[uint64][]Frame, len(addrs))
	var rest []uint64
	for _, addr := range addrs {
		if frames := m.goFrames(addr); frames != nil {
			named[addr] = frames
		} else {
			rest = append(rest, addr)
		}
	}
	if len(rest) == 0 {
		return named
	}
	found, files := m.elf.symbols(rest), []*elfFile{m.elf}
	if debug := m.openDebug(); debug != nil {
		files = append(files, debug)
		for addr, s := range debug.symbols(rest) {
			if old, ok := found[addr]; !ok || better(s, old) {
				found[addr] = s // a local function, which the other table leaves out
			}
		}
	}
	lines := map[uint64]position{}
	for _, file := range files {
		if !m.system {
			maps.Copy(lines, file.positions(rest))
		}
	}
	for _, addr := range rest {
		at := lines[addr]
		named[addr] = []Frame{{Function: found[addr].name, File: at.file, Line: at.line}}
	}
	return named
}

// goFrames names an address of Go code; nil if it is none.
func (m *module) goFrames(addr uint64) []Frame {
	table, main := m.goTable()
	if table == nil {
		return nil
	}
	calls, err := table.calls(addr)
	if err != nil {
		return nil
	}
	frames := make([]Frame, 0, len(calls))
	for i, c := range calls {
		frames = append(frames, Frame{
			Function: c.function, File: c.file, Line: c.line, Inlined: i < len(calls)-1, Role: goRole(c.function, main),
		})
	}
	return frames
}
