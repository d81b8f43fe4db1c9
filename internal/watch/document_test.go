package watch

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/diagnose"
)

// docs/watch.md names every field of the JSON, every kind of event and every end.
func TestTheDocumentNamesEverything(t *testing.T) {
	text, err := os.ReadFile("../../docs/watch.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	_, fields, _ := strings.Cut(doc, "\n## JSON\n")
	event := reflect.TypeFor[Event]()
	for i := range event.NumField() {
		name, _, _ := strings.Cut(event.Field(i).Tag.Get("json"), ",")
		if !strings.Contains(fields, "`"+name+"`") {
			t.Errorf("the field %s is not described", name)
		}
	}
	for _, kind := range []Kind{Began, FINReceived, FINSent, ZeroRead, Stuck, Ended, Masked, Released, Dropped, SensorStopped} {
		if !strings.Contains(doc, "\n- `"+string(kind)+"`: ") {
			t.Errorf("the event %s is not described", kind)
		}
	}
	for end := range endWords {
		if !strings.Contains(doc, "\n| `"+string(end)+"` | ") {
			t.Errorf("the end %s is not described", end)
		}
	}
	for _, c := range []diagnose.Confidence{diagnose.Certain, diagnose.Likely} {
		if !strings.Contains(fields, "`"+string(c)+"`") {
			t.Errorf("the confidence %s is not described", c)
		}
	}
}
