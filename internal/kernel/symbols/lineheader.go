package symbols

// maxLineEntries bounds the folders and the files of one unit.
const maxLineEntries = 1 << 16

// soundLines checks the header of a unit's line table (DWARF 5 §6.2.4), which is
// at an offset of .debug_line: debug/dwarf allocates as many folders and files as
// it says that there are, before it looks for them.
func soundLines(line []byte, at int64) bool {
	if at < 0 || at >= int64(len(line)) {
		return false
	}
	c := cursor{data: line[at:]}
	size := c.u32()
	if uint64(size) > uint64(len(c.data)) { // also the form of 64 bits, which nobody writes
		return false
	}
	c.data = c.data[:size]
	if version := c.u16(); version < 5 {
		return true // its tables end where they end
	}
	c.skip(2 + 4 + 5) // sizes; length of the header; the constants of the line program
	c.skip(uint64(max(c.u8(), 1)) - 1)
	folders := soundEntries(&c)
	return folders && soundEntries(&c) // then the files
}

func soundEntries(c *cursor) bool {
	forms := make([]uint64, c.u8())
	for i := range forms {
		c.uleb() // what it is
		forms[i] = c.uleb()
	}
	n := c.uleb()
	if n > maxLineEntries || n > 0 && len(forms) == 0 || n > uint64(len(c.data)) {
		return false
	}
	for range n {
		for _, form := range forms {
			if !skipForm(c, form) {
				return false
			}
		}
	}
	return !c.err
}

// skipForm skips a value of a form that line tables use (DWARF 5 §7.5.6).
func skipForm(c *cursor, form uint64) bool {
	switch form {
	case 0x08: // string
		c.text()
	case 0x0e, 0x1f, 0x06: // strp, line_strp, data4
		c.skip(4)
	case 0x0b: // data1
		c.skip(1)
	case 0x05: // data2
		c.skip(2)
	case 0x07: // data8
		c.skip(8)
	case 0x1e: // data16
		c.skip(16)
	case 0x0f: // udata
		c.uleb()
	case 0x09: // block
		c.skip(c.uleb())
	default:
		return false
	}
	return !c.err
}
