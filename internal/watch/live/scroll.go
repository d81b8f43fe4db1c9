package live

// scroll is which part of a long text is shown.
type scroll struct {
	top int // the first line shown
	n   int // how many lines there are
}

// key scrolls by one line or a page.
func (s *scroll) key(name string, room int) {
	switch name {
	case "up", "k":
		s.top--
	case "down", "j":
		s.top++
	case "pgup", "ctrl+b":
		s.top -= room
	case "pgdown", "ctrl+f":
		s.top += room
	case "home", "g":
		s.top = 0
	case "end", "G":
		s.top = s.n
	}
	s.hold(room)
}

// hold keeps the part within the text.
func (s *scroll) hold(room int) { s.top = max(0, min(s.top, s.n-room)) }

// reveal moves the part as little as makes a line visible.
func (s *scroll) reveal(line, room int) {
	if line < s.top {
		s.top = line
	}
	if line >= s.top+room {
		s.top = line - room + 1
	}
	s.hold(room)
}
