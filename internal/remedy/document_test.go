package remedy

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// docs/fix.md names every field of the JSON, every outcome, every kind of refusal and
// every degree.
func TestTheDocumentNamesEverything(t *testing.T) {
	text, err := os.ReadFile("../../docs/fix.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\n## JSON\n")
	doc, guard, _ := strings.Cut(after, "\n## guard\n")
	guard, _, _ = strings.Cut(guard, "\n## ")
	for _, typ := range []reflect.Type{
		reflect.TypeFor[Plan](), reflect.TypeFor[Part](), reflect.TypeFor[Subject](), reflect.TypeFor[Frees](), reflect.TypeFor[Choice](),
		reflect.TypeFor[Act](), reflect.TypeFor[Socket](), reflect.TypeFor[Holder](), reflect.TypeFor[Probes](), reflect.TypeFor[Process](),
		reflect.TypeFor[Done](), reflect.TypeFor[Result](), reflect.TypeFor[Sight](), reflect.TypeFor[OpenFiles](), reflect.TypeFor[OwnerChange](),
	} {
		names(t, doc, typ)
	}
	names(t, guard, reflect.TypeFor[Warning]())
	for _, word := range []string{
		string(DidEnd), string(Pending), string(StillThere), string(WasGone), string(AlreadySo), string(Refused), string(Raised), string(NotReached),
		string(Ended), string(Changed), string(Enough), string(Denied), string(Unsupported), string(Failed), string(Held), string(Released),
		string(Auto), string(Room), string(KeepAlive), string(Shutdown), string(Destroy),
	} {
		if !strings.Contains(doc, "`"+word+"`") {
			t.Errorf("`%s` is not described", word)
		}
	}
}

// names checks that a text has the name of every field of a type.
func names(t *testing.T, doc string, typ reflect.Type) {
	t.Helper()
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" && !strings.Contains(doc, "`"+name+"`") {
			t.Errorf("%s: the field %s is not described", typ.Name(), name)
		}
	}
}
