package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/closewait/closewait/scenario"
)

// choice is a flag with a few allowed values.
type choice struct {
	value   string
	allowed []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.allowed, "|") }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return fmt.Errorf("use %s", oneOf(c.allowed))
	}
	c.value = s
	return nil
}

// length is a flag that takes a length of time.
type length struct {
	value, least, most time.Duration
}

func (l *length) String() string { return brief(l.value) }
func (l *length) Type() string   { return "duration" }

// asGrace is the length for diagnose.Options, where zero means the default.
func (l *length) asGrace() time.Duration { return max(l.value, time.Nanosecond) }

func (l *length) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		return errors.New("use a number and a unit, such as 500ms, 90s or 5m")
	}
	if d < l.least || d > l.most {
		return fmt.Errorf("use %s to %s", brief(l.least), brief(l.most))
	}
	l.value = d
	return nil
}

// brief is d without the zeros that Duration.String adds: "1m", "24h", "0".
func brief(d time.Duration) string {
	if d == 0 {
		return "0" // which is how pflag knows that a default is not worth showing
	}
	return scenario.Span(d)
}

// list is a flag that may be repeated and takes several values between commas.
type list[T any] struct {
	values []T
	text   []string
	kind   string
	parse  func(string) (T, error)
}

func (l *list[T]) String() string { return strings.Join(l.text, ",") }
func (l *list[T]) Type() string   { return l.kind }

func (l *list[T]) Set(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		v, err := l.parse(strings.TrimSpace(part))
		if err != nil {
			return err
		}
		l.values = append(l.values, v)
		l.text = append(l.text, part)
	}
	return nil
}

// bounded is a whole number with limits.
type bounded struct {
	value, least, most int
}

func (b *bounded) String() string { return fmt.Sprint(b.value) }
func (b *bounded) Type() string   { return "number" }

func (b *bounded) Set(s string) error {
	n, err := number(s, b.least, b.most)
	if err != nil {
		return err
	}
	b.value = n
	return nil
}

// oneOf lists alternatives: "a", "a or b", "a, b or c".
func oneOf(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

// completeWith completes a flag's value from a fixed list, also behind the
// commas of one that takes several.
func completeWith(all []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		var out []string
		for _, v := range all {
			if strings.HasPrefix(v, typed[len(before):]) {
				out = append(out, before+v)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// changed writes the flags of names that were given, as they were given.
func changed(fs *pflag.FlagSet, names ...string) string {
	var parts []string
	fs.Visit(func(f *pflag.Flag) {
		if slices.Contains(names, f.Name) {
			parts = append(parts, "--"+f.Name+" "+f.Value.String())
		}
	})
	return strings.Join(parts, " ")
}
