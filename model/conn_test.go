package model

import (
	"reflect"
	"testing"

	"github.com/closewait/closewait/tcp"
)

// A struct with padding is hashed field by field; one without as memory, which
// a search does a million times a second.
func TestValuesHaveNoPadding(t *testing.T) {
	for _, v := range []any{Conn{}, tcp.Segment{}} {
		typ := reflect.TypeOf(v)
		var sum uintptr
		for f := range typ.Fields() {
			sum += f.Type.Size()
		}
		if sum != typ.Size() {
			t.Errorf("%v is %d octets, its fields %d", typ, typ.Size(), sum)
		}
	}
}
