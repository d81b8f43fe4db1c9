package symbols

import "encoding/binary"

// creator names the go statement that started the goroutine of a stack. A word
// is taken for the goroutine's gopc only if it is the return address of a call of
// runtime.newproc, which nothing but a go statement calls. Without such a word the
// name of the goroutine's first function mostly tells.
func (l *look) creator(words []uint64, frames []Frame) []Frame {
	first, ok := goroutineStart(frames)
	if !ok {
		return nil
	}
	for _, word := range words {
		if f, ok := l.goStatement(word); ok {
			return []Frame{f}
		}
	}
	if name, ok := enclosing(first.Function); ok {
		return []Frame{{Function: name, File: first.File, Module: first.Module, Role: Creator,
			Note: "likely: the goroutine began in a function literal of it"}}
	}
	return nil
}

func (l *look) goStatement(word uint64) (Frame, bool) {
	m, file, vaddr, ok := l.at(word - 5)
	if !ok || file.elf == nil {
		return Frame{}, false
	}
	table, _ := file.goTable()
	if table == nil {
		return Frame{}, false
	}
	in := file.elf.at(vaddr)
	if in == nil {
		return Frame{}, false
	}
	var code [5]byte
	if _, err := in.ReadAt(code[:], 0); err != nil || code[0] != 0xe8 { // CALL rel32
		return Frame{}, false
	}
	target := vaddr + 5 + uint64(int64(int32(binary.LittleEndian.Uint32(code[1:]))))
	called, err := table.calls(target)
	if err != nil || len(called) == 0 {
		return Frame{}, false
	}
	if last := called[len(called)-1]; last.function != "runtime.newproc" || last.entry != target {
		return Frame{}, false
	}
	callers, err := table.calls(vaddr)
	if err != nil {
		return Frame{}, false
	}
	c := callers[0]
	return Frame{Addr: word, Function: c.function, File: c.file, Line: c.line, Module: clip(m.path, maxText), Offset: m.fileOffset(word), Role: Creator}, true
}
