package pkt

import (
	"strconv"
	"strings"
)

// ValueKind says what a Value is.
type ValueKind uint8

// The kinds.
const (
	// Ellipsis is "...": anything.
	Ellipsis ValueKind = iota
	// Number is an integer.
	Number
	// Symbol is a name, or names joined by '|'.
	Symbol
	// Text is a quoted string.
	Text
	// List is "[a, b]".
	List
	// Struct is "{a=1, b=2}", or "{a, b}"; a field without a name has Name "".
	Struct
	// Apply is "htons(8080)".
	Apply
)

// Value is an argument or a result of a call.
type Value struct {
	Kind ValueKind
	Int  int64
	// Name is a Symbol's or an Apply's name, and a Text's contents.
	Name  string
	Items []Field
}

// Field is one item of a List, a Struct or an Apply.
type Field struct {
	Name  string
	Value Value
}

// Int32 returns the number that a value is, or that stands alone in a list: "1"
// and "[1]".
func (v Value) number() (int64, bool) {
	switch {
	case v.Kind == Number:
		return v.Int, true
	case v.Kind == List && len(v.Items) == 1:
		return v.Items[0].Value.number()
	}
	return 0, false
}

// has reports whether a Symbol is, or has among its parts, a name.
func (v Value) has(name string) bool {
	if v.Kind != Symbol {
		return false
	}
	for part := range strings.SplitSeq(v.Name, "|") {
		if part == name {
			return true
		}
	}
	return false
}

// field returns a Struct's field.
func (v Value) field(name string) (Value, bool) {
	for _, f := range v.Items {
		if f.Name == name {
			return f.Value, true
		}
	}
	return Value{}, false
}

// String writes the value as a script does.
func (v Value) String() string {
	switch v.Kind {
	case Number:
		return strconv.FormatInt(v.Int, 10)
	case Symbol:
		return v.Name
	case Text:
		return strconv.Quote(v.Name)
	case List:
		return "[" + fields(v.Items) + "]"
	case Struct:
		return "{" + fields(v.Items) + "}"
	case Apply:
		return v.Name + "(" + fields(v.Items) + ")"
	}
	return "..."
}

func fields(items []Field) string {
	var b strings.Builder
	for i, f := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		if f.Name != "" {
			b.WriteString(f.Name)
			b.WriteByte('=')
		}
		b.WriteString(f.Value.String())
	}
	return b.String()
}
