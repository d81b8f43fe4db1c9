package remedy

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/closewait/closewait/internal/diagnose"
)

// longestPolicy is more than any policy by hand.
const longestPolicy = 1 << 20

// Match reads one value of a rule's match, by the name that the flag of scan has,
// into the filter.
type Match func(name, value string, into *diagnose.Filter) error

// ReadPolicy reads a policy file (docs/fix.md has its form). Keys that it does not
// know, and values that make no sense, are an error that names the line: a policy
// that is not understood is not half obeyed.
func ReadPolicy(r io.Reader, match Match) (*Policy, error) {
	text, err := io.ReadAll(io.LimitReader(r, longestPolicy+1))
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	if len(text) > longestPolicy {
		return nil, &PolicyError{Err: fmt.Errorf("it is longer than %d bytes", longestPolicy)}
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, &PolicyError{Err: errors.New(strings.TrimPrefix(err.Error(), "yaml: "))} // names the line itself
	}
	if len(root.Content) == 0 {
		return nil, &PolicyError{Err: errors.New("it is empty: a policy has at least one rule")}
	}
	p := &Policy{Every: defaultEvery, Grace: diagnose.DefaultGrace, WarnWithin: defaultWarnWithin}
	if err := p.read(root.Content[0], match); err != nil {
		return nil, err
	}
	if len(p.Rules) == 0 {
		return nil, &PolicyError{Line: root.Content[0].Line, Err: errors.New("it has no rules")}
	}
	return p, nil
}

// setting reads one key's value.
type setting func(value *yaml.Node) error

func (p *Policy) read(n *yaml.Node, match Match) error {
	return mapping(n, map[string]setting{
		"apply":       func(v *yaml.Node) error { return boolean(v, &p.Apply) },
		"every":       func(v *yaml.Node) error { return duration(v, time.Second, 24*time.Hour, &p.Every) },
		"grace":       func(v *yaml.Node) error { return duration(v, time.Millisecond, 30*24*time.Hour, &p.Grace) },
		"warn-within": func(v *yaml.Node) error { return duration(v, 0, 365*24*time.Hour, &p.WarnWithin) },
		"rules": func(v *yaml.Node) error {
			return sequence(v, func(v *yaml.Node) error {
				rule := Rule{Name: fmt.Sprintf("rule %d", len(p.Rules)+1), Degree: Auto, MaxPerMinute: defaultMaxPerMinute}
				if err := rule.read(v, match); err != nil {
					return err
				}
				p.Rules = append(p.Rules, rule)
				return nil
			})
		},
	})
}

func (r *Rule) read(n *yaml.Node, match Match) error {
	matched := false
	err := mapping(n, map[string]setting{
		"name": func(v *yaml.Node) error { return text(v, &r.Name) },
		"match": func(v *yaml.Node) error {
			matched = true
			return r.readMatch(v, match)
		},
		"degree": func(v *yaml.Node) error {
			var name string
			err := text(v, &name)
			if err == nil {
				r.Degree, err = ParseDegree(name)
			}
			return err
		},
		"older-than":               func(v *yaml.Node) error { return duration(v, 0, 365*24*time.Hour, &r.OlderThan) },
		"max-per-minute":           func(v *yaml.Node) error { return whole(v, 1, 1_000_000, &r.MaxPerMinute) },
		"only-if-open-files-above": func(v *yaml.Node) error { return part(v, &r.OpenFilesAbove) },
		"open-files": func(v *yaml.Node) error {
			var n int
			err := whole(v, 1, 1<<30, &n)
			r.OpenFiles = uint64(n)
			return err
		},
		"keepalive": func(v *yaml.Node) error { return r.Probes.read(v) },
	})
	if err == nil && !matched {
		err = &PolicyError{n.Line, errors.New("the rule has no match: say what it is about (match: {} is everything)")}
	}
	return err
}

// readMatch reads the filters of scan, and program.
func (r *Rule) readMatch(n *yaml.Node, match Match) error {
	settings := map[string]setting{
		"program": func(v *yaml.Node) error {
			return each(v, func(s string) error { r.Programs = append(r.Programs, s); return nil })
		},
	}
	for _, name := range []string{"pid", "port", "peer", "state", "cause", "container", "netns"} {
		settings[name] = func(v *yaml.Node) error {
			return each(v, func(s string) error { return match(name, s, &r.Filter) })
		}
	}
	return mapping(n, settings)
}

func (p *Probes) read(n *yaml.Node) error {
	length := func(into *Seconds) setting {
		return func(v *yaml.Node) error { return duration(v, time.Second, 32767*time.Second, (*time.Duration)(into)) }
	}
	return mapping(n, map[string]setting{
		"idle": length(&p.Idle), "interval": length(&p.Interval),
		"count": func(v *yaml.Node) error { return whole(v, 1, 127, &p.Count) },
	})
}

// mapping reads keys and values, each key once.
func mapping(n *yaml.Node, settings map[string]setting) error {
	if n.Kind != yaml.MappingNode {
		return &PolicyError{n.Line, fmt.Errorf("want keys and values here, and got %s", kindOf(n))}
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read := settings[key.Value]
		switch {
		case read == nil || key.Kind != yaml.ScalarNode:
			return &PolicyError{key.Line, fmt.Errorf("unknown key %q: use %s", key.Value, strings.Join(sorted(settings), ", "))}
		case seen[key.Value]:
			return &PolicyError{key.Line, fmt.Errorf("%s is there twice", key.Value)}
		}
		seen[key.Value] = true
		if err := read(value); err != nil {
			if own, ok := errors.AsType[*PolicyError](err); ok {
				return own
			}
			return &PolicyError{value.Line, fmt.Errorf("%s: %w", key.Value, err)}
		}
	}
	return nil
}

func sorted(settings map[string]setting) []string {
	var all []string
	for name := range settings {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func sequence(n *yaml.Node, read setting) error {
	if n.Kind != yaml.SequenceNode {
		return fmt.Errorf("want a list, and got %s", kindOf(n))
	}
	for _, v := range n.Content {
		if err := read(v); err != nil {
			return err
		}
	}
	return nil
}

// each reads one value or a list of them.
func each(n *yaml.Node, read func(string) error) error {
	one := func(v *yaml.Node) error {
		var s string
		if err := text(v, &s); err != nil {
			return err
		}
		return read(s)
	}
	if n.Kind == yaml.SequenceNode {
		return sequence(n, one)
	}
	return one(n)
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias, which a policy may not have"
	}
	if n.Tag == "!!null" {
		return "nothing"
	}
	return strconv.Quote(n.Value)
}

func text(n *yaml.Node, into *string) error {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
		return fmt.Errorf("want a word, and got %s", kindOf(n))
	}
	*into = n.Value
	return nil
}

func boolean(n *yaml.Node, into *bool) error {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		return fmt.Errorf("want true or false, and got %s", kindOf(n))
	}
	return n.Decode(into)
}

func whole(n *yaml.Node, least, most int, into *int) error {
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || v < least || v > most {
		return fmt.Errorf("want a number from %d to %d, and got %s", least, most, kindOf(n))
	}
	*into = v
	return nil
}

func duration(n *yaml.Node, least, most time.Duration, into *time.Duration) error {
	d, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || d < least || d > most {
		return fmt.Errorf("want a length of time from %v to %v, such as 90s or 5m, and got %s", least, most, kindOf(n))
	}
	*into = d
	return nil
}

// part reads "80%".
func part(n *yaml.Node, into *float64) error {
	number, ok := strings.CutSuffix(n.Value, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if n.Kind != yaml.ScalarNode || !ok || err != nil || !(v > 0 && v < 100) {
		return fmt.Errorf("want a percentage such as 80%%, and got %s", kindOf(n))
	}
	*into = v / 100
	return nil
}
