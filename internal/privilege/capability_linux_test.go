package privilege

import "testing"

const whole = "         0          0 4294967295\n"

func TestMissingNamesTheFirstCapability(t *testing.T) {
	for _, row := range []struct{ name, status, uids, want string }{
		{"root", "Name:\tx\nCapEff:\t000001ffffffffff\n", whole, ""},
		{"a user", "CapEff:\t0000000000000000\n", whole, "CAP_DAC_READ_SEARCH"},
		{"a container's root", "CapEff:\t00000000a80425fb\n", whole, "CAP_DAC_READ_SEARCH"},
		{"no SYS_ADMIN", "CapEff:\t000001ffffdfffff\n", whole, "CAP_SYS_ADMIN"},
		{"root of its own user namespace", "CapEff:\t000001ffffffffff\n", "0 1000 1\n", "the host's user namespace"},
		{"no uid map", "CapEff:\t000001ffffffffff\n", "", "the host's user namespace"},
		{"no line", "Name:\tx\n", whole, "a CapEff line in /proc/self/status"},
		{"not hexadecimal", "CapEff:\tzz\n", whole, "a CapEff line in /proc/self/status"},
	} {
		if got := missing(row.status, row.uids); got != row.want {
			t.Errorf("%s: lacks %q, want %q", row.name, got, row.want)
		}
	}
}

func FuzzMissing(f *testing.F) {
	f.Add("CapEff:\t000001ffffffffff\n", whole)
	f.Fuzz(func(_ *testing.T, status, uids string) { missing(status, uids) })
}
