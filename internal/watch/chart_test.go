package watch

import (
	"testing"

	"github.com/closewait/closewait/internal/diagnose"
)

func TestSparkline(t *testing.T) {
	for name, c := range map[string]struct {
		values []int
		width  int
		want   string
	}{
		"nothing yet":            {nil, 4, "    "},
		"it fills from the left": {[]int{1, 2}, 4, "  ▄█"},
		"the last count":         {[]int{9, 9, 1, 2, 4}, 3, "▂▄█"},
		"steady":                 {[]int{7, 7, 7}, 3, "███"},
		"a little above many":    {[]int{1000, 1004, 1008}, 3, "▁▄█"},
		"zero is nothing":        {[]int{0, 800, 1}, 3, " █▁"},
		"no room":                {[]int{1}, 0, ""},
		"negative is nothing":    {[]int{-3, 3}, 2, " █"},
	} {
		if got := Sparkline(c.values, c.width); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestAges(t *testing.T) {
	f := &diagnose.Finding{}
	for _, s := range []float64{0, 9.9, 10, 59, 60, 3599, 3600, 86399, 86400, 1e9} {
		f.Sockets = append(f.Sockets, diagnose.SocketDetail{Age: diagnose.Age{AtLeastS: s}})
	}
	a := agesOf(f)
	if a != (Ages{2, 2, 1, 1, 2, 2}) {
		t.Errorf("%v", a)
	}
	if got := a.String(); got != "██▄▄██" {
		t.Errorf("%q", got)
	}
	if got := (Ages{}).String(); got != "······" {
		t.Errorf("%q", got)
	}
}
