package diagnose

import (
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
// which differ from process to process, nor lines of callers.
func signature(s *observe.Stack) string {
	var b strings.Builder
	for i := range s.Frames {
		if f := &s.Frames[i]; f.Tells {
			b.WriteString(f.Function + "\x00" + f.File + "\x00" + f.Module + "\x01")
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
	example := map[string]int{}
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
		if counts[sign]++; counts[sign] == 1 {
			example[sign] = number
		}
		if counts[sign] > counts[best] {
			best = sign
		}
	}
	stack := v.stacks.of(example[best])
	if stack == nil {
		return nil
	}
	return stack.Frames
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
