package scenario

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the stories: their form, and expectations that failed on the linux model")

func TestLibraryIsInItsUsualForm(t *testing.T) {
	for _, name := range Library() {
		src, _ := Source(name)
		s, err := Parse(name+".story", src)
		if err != nil {
			t.Error(err)
			continue
		}
		got := Format(s)
		if bytes.Equal(got, src) {
			continue
		}
		if !*update {
			t.Errorf("%s.story is not as Format writes it (run with -update); it would be:\n%s", name, got)
		} else if err := os.WriteFile(filepath.Join("testdata", name+".story"), got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLibraryHasEveryClaim(t *testing.T) {
	all, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	shown, corrected := map[string]bool{}, map[string]bool{}
	for _, s := range all {
		if s.Title == "" || len(s.Claims) == 0 {
			t.Errorf("%s has no title or no claim", s.File)
		}
		for _, c := range s.Claims {
			if c.Correction {
				corrected[c.ID] = true
			} else {
				shown[c.ID] = true
			}
		}
	}
	for i := 1; i <= 14; i++ {
		if id := fmt.Sprint("C", i); !shown[id] {
			t.Errorf("no story shows %s", id)
		}
	}
	for _, id := range []string{"C8", "C9", "C10", "C14"} {
		if !corrected[id] {
			t.Errorf("no story shows the correction of %s", id)
		}
	}
}
