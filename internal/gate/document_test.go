package gate

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// The page of the command names every field of its JSON.
func TestTheDocumentNamesEveryField(t *testing.T) {
	page, err := os.ReadFile("../../docs/run.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[document](), reflect.TypeFor[counts](), reflect.TypeFor[Description](), reflect.TypeFor[Survivor]()} {
		for i := range typ.NumField() {
			if name := typ.Field(i).Tag.Get("json"); !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("docs/run.md does not name %s of %s", name, typ.Name())
			}
		}
	}
}
