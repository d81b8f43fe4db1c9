package remedy

import (
	"bytes"
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
	root, err := document(text)
	if err != nil {
		return nil, err
	}
	p := &Policy{Every: defaultEvery, Grace: diagnose.DefaultGrace, WarnWithin: defaultWarnWithin}
	if err := p.read(root, match); err != nil {
		return nil, err
	}
	if len(p.Rules) == 0 {
		return nil, &PolicyError{Line: root.Line, Err: errors.New("it has no rules")}
	}
	return p, nil
}

// document is the one that the text holds.
func document(text []byte) (*yaml.Node, error) {
	var root, more yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(text))
	err := in.Decode(&root)
	if errors.Is(err, io.EOF) || err == nil && len(root.Content) == 0 {
		return nil, &PolicyError{Err: errors.New("it is empty: a policy has at least one rule")}
	}
	if err == nil {
		err = in.Decode(&more)
	}
	switch {
	case err == nil:
		return nil, &PolicyError{more.Line, errors.New("a second document begins here (---), and a policy is one: put everything into the first")}
	case !errors.Is(err, io.EOF):
		return nil, &PolicyError{Err: errors.New(strings.TrimPrefix(err.Error(), "yaml: "))} // names the line itself
	}
	return root.Content[0], nil
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
	err := mapping(n, map[string]setting{
		"name":  func(v *yaml.Node) error { return text(v, &r.Name) },
		"match": func(v *yaml.Node) error { return r.readMatch(v, match) },
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
	if err != nil {
		return err
	}
	lines := linesOf(n)
	if lines["match"] == 0 {
		return &PolicyError{n.Line, errors.New("the rule has no match: say what it is about (match: {} is everything)")}
	}
	for _, only := range onlyWith {
		if at := lines[only.key]; at != 0 && !slices.Contains(only.degrees, r.Degree) {
			return &PolicyError{at, fmt.Errorf("%s does nothing in a rule of degree %s: %s", only.key, r.Degree, only.instead)}
		}
	}
	return nil
}

// onlyWith are the keys that mean something to some degrees only: a setting that is
// not obeyed is not accepted.
var onlyWith = []struct {
	key     string
	degrees []Degree
	instead string
}{
	{"keepalive", []Degree{KeepAlive, Auto}, "it says how to probe, which keepalive and auto do"},
	{"open-files", []Degree{Room, Auto}, "it is the limit that room and auto raise"},
	{"older-than", []Degree{KeepAlive, Shutdown, Destroy, Auto}, "it is about connections, and room about processes (only-if-open-files-above)"},
}

// linesOf says on which line each key of a mapping stands.
func linesOf(n *yaml.Node) map[string]int {
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		lines[n.Content[i].Value] = n.Content[i].Line
	}
	return lines
}

// neverStuck are the causes whose connections nobody may touch.
var neverStuck = []diagnose.Cause{diagnose.HalfCloseInUse, diagnose.OrphanDraining}

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
	if err := mapping(n, settings); err != nil {
		return err
	}
	for _, cause := range neverStuck {
		if slices.Contains(r.Filter.Causes, cause) {
			return &PolicyError{linesOf(n)["cause"], fmt.Errorf("cause: %s is never stuck, and only what is stuck is acted on", cause)}
		}
	}
	return nil
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
