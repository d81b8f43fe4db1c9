package enginetest

import (
	"bytes"
	"io/fs"
	"testing"

	"github.com/closewait/closewait/scenario"
)

func TestStoriesAreInTheirUsualForm(t *testing.T) {
	names, err := fs.Glob(stories, "stories/*.story")
	if err != nil || len(names) == 0 {
		t.Fatal("no stories", err)
	}
	for _, name := range names {
		src, err := stories.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := scenario.Parse(name, src)
		if err != nil {
			t.Fatal(err)
		}
		if got := scenario.Format(s); !bytes.Equal(got, src) {
			t.Errorf("%s is not in its usual form, which is:\n%s", name, got)
		}
	}
}
