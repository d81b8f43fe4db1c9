package figure

import "testing"

func TestSpread(t *testing.T) {
	for _, row := range []struct {
		values []float64
		want   Spread
		text   string
	}{
		{nil, Spread{}, "0.0 (0.0 … 0.0)"},
		{[]float64{4}, Spread{4, 4, 4}, "4.0 (4.0 … 4.0)"},
		{[]float64{9, 1, 2}, Spread{2, 1, 9}, "2.0 (1.0 … 9.0)"},
		{[]float64{4, 1, 3, 2}, Spread{2.5, 1, 4}, "2.5 (1.0 … 4.0)"},
	} {
		got := SpreadOf(row.values)
		if text := got.Text(1); got != row.want || text != row.text {
			t.Errorf("spread of %v is %v, %q; want %v, %q", row.values, got, text, row.want, row.text)
		}
	}
}
