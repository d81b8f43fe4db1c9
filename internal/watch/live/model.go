package live

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/closewait/closewait/internal/watch"
)

// model is the whole state of the view.
type model struct {
	painter
	o             Options
	width, height int
	// live is the latest picture, shown the one that is drawn: another only while
	// paused. Both are nil at first.
	live, shown *watch.Picture
	problem     string
	paused      bool
	help        bool
	quitting    bool
	list        list
	finding     *findingView // nil: not open
	socket      *socketView  // nil: not open
}

func newModel(o Options) model {
	if o.Location == nil {
		o.Location = time.UTC
	}
	return model{painter: painter{o.Color}, o: o, width: 80, height: 24}
}

// Init has nothing to do: pictures come by themselves.
func (m model) Init() tea.Cmd { return nil }

// Update takes in a picture, a key or a new size.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case Update:
		m.problem = msg.Problem
		if msg.Picture != nil {
			m.live = msg.Picture
			if !m.paused || m.shown == nil {
				m.show(msg.Picture)
			}
		}
	case quitMsg:
		return m.quit()
	case tea.PasteMsg:
		if m.list.typing {
			m.list.typeKey("", strings.Join(strings.Fields(msg.Content), " "), m.shown)
		}
	case tea.KeyPressMsg:
		return m.key(msg)
	}
	return m, nil
}

// quitMsg is the end from outside.
type quitMsg struct{}

// show draws another picture from now on. The cursor stays on its finding.
func (m *model) show(p *watch.Picture) {
	m.shown = p
	m.list.arrange(p)
	if m.finding != nil {
		m.finding.refresh(p)
	}
	if m.socket != nil {
		m.socket.refresh(m.o.Story)
	}
}

// key does what a key is for.
func (m model) key(k tea.KeyPressMsg) (tea.Model, tea.Cmd) {
	name := k.String()
	switch {
	case name == "ctrl+c":
		return m.quit()
	case name == "ctrl+z":
		return m, tea.Suspend
	case m.list.typing:
		m.list.typeKey(name, k.Text, m.shown)
		return m, nil
	case m.help:
		m.help = false
		return m, nil
	}
	switch name {
	case "q":
		return m.quit()
	case "?", "h":
		m.help = true
	case "p", "space":
		m.pause()
	case "esc", "backspace", "left":
		m.back()
	case "enter", "right":
		m.open()
	default:
		m.move(name)
	}
	return m, nil
}

// quit leaves an empty screen: a terminal that was resized meanwhile may show a
// part of it beneath what was there before (tmux 3.3 does).
func (m model) quit() (tea.Model, tea.Cmd) {
	m.quitting = true
	return m, tea.Quit
}

func (m *model) pause() {
	m.paused = !m.paused
	if !m.paused && m.live != nil {
		m.show(m.live)
	}
}

// back closes what is open; in the list, it ends the filter.
func (m *model) back() {
	switch {
	case m.socket != nil:
		m.socket = nil
	case m.finding != nil:
		m.finding = nil
	default:
		m.list.filter = ""
		m.list.arrange(m.shown)
	}
}

// open opens what the cursor is on.
func (m *model) open() {
	switch {
	case m.socket != nil || m.shown == nil:
	case m.finding != nil:
		m.socket = m.finding.openSocket(m.o.Story)
	default:
		if row, ok := m.list.current(); ok {
			m.list.chosen = true
			m.finding = newFindingView(row, m.shown.Report)
		}
	}
}

func (m *model) move(name string) {
	switch {
	case m.socket != nil:
		m.socket.scroll.key(name, m.room())
	case m.finding != nil:
		m.finding.key(name, m.room())
	default:
		m.list.key(name, m.shown)
	}
}

// room is how many lines a page has between the head and the foot.
func (m *model) room() int { return max(1, m.height-headLines-footLines) }

const (
	headLines = 3
	footLines = 1
)

// View draws everything: exactly as many lines as there are, none too wide.
func (m model) View() tea.View {
	if m.quitting {
		v := tea.NewView("")
		v.AltScreen = true
		return v
	}
	lines := m.head()
	switch {
	case m.help:
		lines = append(lines, m.helpLines()...)
	case m.shown == nil:
		lines = append(lines, "looking at every TCP socket and who holds it…")
	case m.socket != nil:
		lines = append(lines, m.socket.lines(&m)...)
	case m.finding != nil:
		lines = append(lines, m.finding.lines(&m)...)
	default:
		lines = append(lines, m.listLines()...)
	}
	body := max(0, m.height-footLines)
	if len(lines) > body {
		lines = lines[:body]
	}
	for len(lines) < body {
		lines = append(lines, "")
	}
	lines = append(lines, m.foot())
	for i := range lines {
		lines[i] = m.cut(lines[i])
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen = true
	v.WindowTitle = "closewait watch"
	return v
}
