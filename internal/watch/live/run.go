package live

import (
	"context"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/watch"
)

// Options says what to show, and where.
type Options struct {
	// In and Out are the terminal; a nil In is whichever this process has.
	In  io.Reader
	Out io.Writer
	// Term is the terminal's kind, as TERM has it.
	Term string
	// Color allows colour; without, not one escape sequence is for looks.
	Color bool
	// Location is the time zone of the times shown; nil means UTC.
	Location *time.Location
	// Interval is from one look to the next; Mode says how it is watched, in a few
	// words; Filter how the looks were narrowed, "" if not at all.
	Interval time.Duration
	Mode     string
	Filter   string
	// Story tells what is known of one connection.
	Story func(observe.Key) (*watch.Story, bool)
}

// Update is what is new.
type Update struct {
	// Picture is the latest; nil: the one before stays.
	Picture *watch.Picture
	// Problem is why there is no newer one; "" if there is none.
	Problem string
}

// Run shows what comes over feed until the user quits, or ctx ends, which is no
// error either. The terminal is then as it was.
func Run(ctx context.Context, feed <-chan Update, o Options) error {
	options := []tea.ProgramOption{
		tea.WithOutput(o.Out), tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond),
		tea.WithColorProfile(profile(o.Color)), tea.WithEnvironment([]string{"TERM=" + o.Term}),
	}
	if o.In != nil {
		options = append(options, tea.WithInput(o.In))
	}
	program := tea.NewProgram(newModel(o), options...)
	over, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-over.Done():
				program.Send(quitMsg{})
				return
			case u := <-feed:
				program.Send(u)
			}
		}
	}()
	_, err := program.Run()
	stop()
	<-done
	return err
}

// framesPerSecond is enough for what changes every two seconds and for a key.
const framesPerSecond = 20

// profile: the sixteen basic colours only, as in reports.
func profile(color bool) colorprofile.Profile {
	if color {
		return colorprofile.ANSI
	}
	return colorprofile.ASCII
}
