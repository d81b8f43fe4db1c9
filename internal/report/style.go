package report

import (
	"time"

	"github.com/charmbracelet/x/ansi"
)

// Widths of the text that a renderer accepts.
const (
	// DefaultWidth is used where nothing else is asked for: longer lines are hard
	// to read, however wide the terminal.
	DefaultWidth = 100
	// MinWidth is the narrowest layout; a narrower terminal breaks it by itself.
	MinWidth = 60
)

// Style says how text is to look. The zero Style is plain text, DefaultWidth
// wide, in UTC.
type Style struct {
	// Width is the number of columns to fit into: 0 means DefaultWidth, less than
	// MinWidth means that.
	Width int
	// Color allows colour and bold; false means not one escape sequence.
	Color bool
	// Location is the time zone of the times shown; nil means UTC.
	Location *time.Location
	// Now decides which times need a date; zero means the time of the look.
	Now time.Time
	// All shows findings that are not stuck as full entries instead of one line.
	All bool
	// Filter is how the user narrowed the scan, such as "--pid 7"; empty means
	// not at all. It is named where nothing matched, lest "nothing is stuck" be
	// read as news of the whole host.
	Filter string
}

func (s Style) width() int {
	if s.Width == 0 {
		return DefaultWidth
	}
	return max(s.Width, MinWidth)
}

// tone is the weight and colour of a run of text. The sixteen basic colours
// only: they follow the reader's own theme, light or dark.
type tone uint8

const (
	plain tone = iota
	strong
	faint
	bad
	warn
	note
	good
	chosen // the line that a cursor is on
)

func (s Style) paint(t tone, text string) string {
	if !s.Color || text == "" || t == plain {
		return text
	}
	return t.sgr().Styled(text)
}

func (t tone) sgr() ansi.Style {
	switch t {
	case strong:
		return ansi.NewStyle().Bold()
	case faint:
		return ansi.NewStyle().Faint()
	case bad:
		return ansi.NewStyle().Bold().ForegroundColor(ansi.Red)
	case warn:
		return ansi.NewStyle().Bold().ForegroundColor(ansi.Yellow)
	case note:
		return ansi.NewStyle().ForegroundColor(ansi.Cyan)
	case good:
		return ansi.NewStyle().ForegroundColor(ansi.Green)
	case chosen:
		return ansi.NewStyle().Reverse(true)
	}
	return ansi.NewStyle()
}
