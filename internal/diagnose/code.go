package diagnose

import (
	"slices"
	"strconv"
	"strings"

	"github.com/closewait/closewait/internal/observe"
)

// stacks are the sensor's, by the numbers that histories use.
type stacks struct {
	all  []observe.Stack
	sign []string // what is the same for two stacks of one place
}

func newStacks(s *observe.Sensor) stacks {
	if s == nil {
		return stacks{}
	}
	out := stacks{all: s.Stacks, sign: make([]string, len(s.Stacks))}
	for i := range s.Stacks {
		out.sign[i] = signature(&s.Stacks[i])
	}
	return out
}

// signature names the place in the code and not the way to it: neither addresses,
// which differ from process to process, nor lines: two ways into one bug are one finding.
// Of what has no name it is where in the file; compiled code is in none ([jit]).
func signature(s *observe.Stack) string {
	var b strings.Builder
	for i := range s.Frames {
		if f := &s.Frames[i]; f.Tells {
			b.WriteString(f.Function + "\x00" + f.File + "\x00" + f.Module)
			if f.Function == "" && f.Module != "[jit]" {
				b.WriteString("+" + strconv.FormatUint(f.Offset, 16))
			}
			b.WriteByte('\x01')
		}
	}
	return b.String()
}

// of returns a stack, nil if the number is of none.
func (s stacks) of(number int) *observe.Stack {
	if number < 1 || number > len(s.all) {
		return nil
	}
	return &s.all[number-1]
}

// place is what sockets of one group have in common: the code that opened them,
// and the code that read zero from them or, if none did, read them first.
func (s stacks) place(h *observe.History) string {
	if h == nil || len(s.all) == 0 {
		return ""
	}
	reader := h.ZeroBy
	if reader == 0 {
		reader = h.ReadBy
	}
	opened, read := s.signOf(h.OpenedBy), s.signOf(reader)
	if opened == "" && read == "" {
		return ""
	}
	return opened + "\x02" + read
}

func (s stacks) signOf(number int) string {
	if number < 1 || number > len(s.sign) {
		return ""
	}
	return s.sign[number-1]
}

// codeOf is the stack that most members of a group have in common.
func codeOf(v *view, g *group, which func(*observe.History) int) []observe.Frame {
	counts := map[string]int{}
	examples := map[string][]int{}
	best := ""
	for i := range g.members {
		s, _ := g.at(v, i)
		if s.History == nil {
			continue
		}
		number := which(s.History)
		if v.stacks.of(number) == nil {
			continue
		}
		sign := v.stacks.signOf(number)
		counts[sign]++
		if !slices.Contains(examples[sign], number) && len(examples[sign]) < mostExamples {
			examples[sign] = append(examples[sign], number)
		}
		if counts[sign] > counts[best] {
			best = sign
		}
	}
	if len(examples[best]) == 0 {
		return nil
	}
	return v.stacks.merged(examples[best])
}

// mostExamples bounds how many stacks of one place are held against each other.
const mostExamples = 64

// merged are the first's frames, of stacks of one place. What is told of them is told of
// all: the lines where others were are in a note.
func (s stacks) merged(numbers []int) []observe.Frame {
	frames := slices.Clone(s.of(numbers[0]).Frames)
	lines := make(map[int][]string) // by the place among the frames that tell
	for _, n := range numbers {
		i := 0
		for _, f := range s.of(n).Frames {
			if !f.Tells {
				continue
			}
			if line := strconv.Itoa(f.Line); f.Line > 0 && !slices.Contains(lines[i], line) {
				lines[i] = append(lines[i], line)
			}
			i++
		}
	}
	i := 0
	for j := range frames {
		f := &frames[j]
		if !f.Tells {
			continue
		}
		if others := lines[i]; len(others) > 1 {
			note := "also line " + strings.Join(others[1:min(len(others), 5)], ", ")
			if len(others) > 5 {
				note += " and others"
			}
			f.Note = strings.TrimPrefix(f.Note+"; "+note, "; ")
		}
		i++
	}
	return frames
}

// describeCode says which code the connections come from.
func describeCode(v *view, g *group, f *Finding) {
	if len(v.stacks.all) == 0 {
		return
	}
	f.OpenedBy = codeOf(v, g, func(h *observe.History) int { return h.OpenedBy })
	f.ReadBy = codeOf(v, g, func(h *observe.History) int { return h.ReadBy })
	f.ZeroBy = codeOf(v, g, func(h *observe.History) int { return h.ZeroBy })
}
