package agree

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/lab"
	"github.com/closewait/closewait/scenario"
)

func TestMain(m *testing.M) {
	lab.Child()
	os.Exit(m.Run())
}

// kernel plays one story after another, on the same two hosts.
type kernel struct {
	ctx    context.Context
	engine *lab.Engine
	// slipped are the differences that were not there again, unlike how many
	// stories could not be compared.
	slipped []string
	unlike  int
}

// play plays a story.
func (k *kernel) play(s *scenario.Story) (*lab.Run, error) {
	var err error
	if k.engine == nil {
		k.engine, err = lab.NewEngine(k.ctx, lab.Options{Pace: lab.PaceOf(s)})
	} else {
		err = k.engine.Reset(lab.PaceOf(s))
	}
	if err != nil {
		return nil, errors.Join(err, k.close())
	}
	r, err := k.engine.Play(s)
	if err != nil {
		return nil, errors.Join(err, k.close())
	}
	return r, nil
}

// outOfOrder recognises the lab's word for two hosts that are not shortened
// alike.
func outOfOrder(note string) bool { return strings.HasPrefix(note, "two timers end in another order") }

func (k *kernel) close() error {
	if k.engine == nil {
		return nil
	}
	err := k.engine.Close()
	k.engine = nil
	return err
}

// again is how often a difference has to be seen to count.
const again = 3

// differs has the model tell a story, and the kernel play it, up to so many
// times. It says where they differ each time, and prints the story; nothing if
// they do not.
func (k *kernel) differs(lines []string, times int) string {
	s, err := Tell(lines)
	if err != nil {
		return fmt.Sprintf("%v\n%s", err, strings.Join(lines, "\n"))
	}
	told, err := Play(s)
	if err != nil {
		return fmt.Sprintf("%v\n%s", err, scenario.Format(s))
	}
	if tied(told) {
		k.unlike++
		return ""
	}
	var first string
	for range times {
		r, err := k.play(s)
		if err != nil {
			return fmt.Sprintf("%v\n%s", err, scenario.Format(s))
		}
		if slices.ContainsFunc(r.Notes, outOfOrder) {
			k.unlike++
			return ""
		}
		now := ""
		if !r.Holds() {
			now = r.Failures[0].Error()
		}
		if first != "" && now != first {
			k.slipped = append(k.slipped, fmt.Sprintf("%s\n%s", first, scenario.Format(s)))
		}
		if first = now; now == "" {
			return ""
		}
	}
	return fmt.Sprintf("the model %s\n%s", first, scenario.Format(s))
}
