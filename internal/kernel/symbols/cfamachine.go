package symbols

import "errors"

// machine runs call frame instructions. It keeps the rules of the frame's end
// and of the frame pointer; of the other registers nothing depends on them.
type machine struct {
	cie     cie
	want    uint64 // the address whose rule is wanted
	at      uint64
	now     rule
	initial rule
	stack   []rule
	raMoved bool // the return address is not where calls put it
	invalid bool // the frame's end is an expression
}

// errReached ends a run: what follows is about later addresses.
var errReached = errors.New("reached the address")

// maxStates bounds remembered states.
const maxStates = 64

func (m *machine) run(in cursor) error {
	for range maxInstructions {
		if in.err {
			return errMalformed
		}
		if len(in.data) == 0 {
			return m.verdict()
		}
		if err := m.step(&in); err != nil {
			return err
		}
	}
	return errMalformed
}

func (m *machine) verdict() error {
	if m.invalid {
		return errNoRule
	}
	return nil
}

func (m *machine) step(in *cursor) error {
	op := in.u8()
	low := uint64(op & 0x3f)
	switch op & 0xc0 {
	case 0x40: // DW_CFA_advance_loc
		return m.advance(low)
	case 0x80: // DW_CFA_offset
		m.save(low, int64(in.uleb()))
		return nil
	case 0xc0: // DW_CFA_restore
		m.restore(low)
		return nil
	}
	switch op {
	case 0x00: // nop
	case 0x01: // set_loc
		return m.reach(in.pointer(m.cie.encoding))
	case 0x02:
		return m.advance(uint64(in.u8()))
	case 0x03:
		return m.advance(uint64(in.u16()))
	case 0x04:
		return m.advance(uint64(in.u32()))
	case 0x05: // offset_extended
		register := in.uleb()
		m.save(register, int64(in.uleb()))
	case 0x11: // offset_extended_sf
		register := in.uleb()
		m.save(register, in.sleb())
	case 0x06: // restore_extended
		m.restore(in.uleb())
	case 0x07: // undefined: of the return address, this is the outermost frame
		if in.uleb() == dwarfRA {
			m.now.outermost = true
		}
	case 0x08: // same_value
		if in.uleb() == dwarfBP {
			m.now.bpSaved = false
		}
	case 0x09: // register
		m.lose(in.uleb())
		in.uleb()
	case 0x0a: // remember_state
		if len(m.stack) == maxStates {
			return errMalformed
		}
		m.stack = append(m.stack, m.now)
	case 0x0b: // restore_state
		if len(m.stack) == 0 {
			return errMalformed
		}
		m.now, m.stack = m.stack[len(m.stack)-1], m.stack[:len(m.stack)-1]
		m.invalid = false
	case 0x0c, 0x12: // def_cfa, def_cfa_sf
		m.now.base, m.invalid = in.uleb(), false
		m.now.offset = m.frameOffset(in, op == 0x12)
	case 0x0d: // def_cfa_register
		m.now.base = in.uleb()
	case 0x0e, 0x13: // def_cfa_offset, def_cfa_offset_sf
		m.now.offset = m.frameOffset(in, op == 0x13)
	case 0x0f: // def_cfa_expression
		in.skip(in.uleb())
		m.invalid = true
	case 0x10, 0x16: // expression, val_expression
		m.lose(in.uleb())
		in.skip(in.uleb())
	case 0x2e: // GNU_args_size
		in.uleb()
	default:
		return errNoRule
	}
	return nil
}

func (m *machine) frameOffset(in *cursor, factored bool) int64 {
	if factored {
		return in.sleb() * m.cie.dataAlign
	}
	return int64(in.uleb())
}

func (m *machine) advance(delta uint64) error { return m.reach(m.at + delta*m.cie.codeAlign) }

func (m *machine) reach(at uint64) error {
	if at > m.want {
		if err := m.verdict(); err != nil {
			return err
		}
		return errReached
	}
	m.at = at
	return nil
}

func (m *machine) save(register uint64, factored int64) {
	offset := factored * m.cie.dataAlign
	switch register {
	case dwarfBP:
		m.now.bpSaved, m.now.saved = true, offset
	case dwarfRA:
		m.raMoved = offset != -8
	}
}

func (m *machine) restore(register uint64) {
	if register == dwarfBP {
		m.now.bpSaved, m.now.saved = m.initial.bpSaved, m.initial.saved
	}
}

// lose marks a register whose place is computed in a way that is not followed.
func (m *machine) lose(register uint64) {
	switch register {
	case dwarfBP:
		// Away from any word that was recorded: the frame pointer is unknown.
		m.now.bpSaved, m.now.saved = true, 1
	case dwarfRA:
		m.raMoved = true
	}
}
