package agree

import (
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// lines draws a story without expectations.
func lines() *rapid.Generator[[]string] {
	return rapid.Custom(func(t *rapid.T) []string {
		all := rapid.SampledFrom(openings).Draw(t, "opening")
		all = append([]string{}, all...)
		for range 3 {
			all = append(all, rapid.SliceOfN(line(), 0, 8).Draw(t, "lines")...)
		}
		return scaled(all)
	})
}

var openings = [][]string{
	{"local and remote are connected"},
	{"local and remote are connected"},
	{"local and remote are connected"},
	{"local and remote are connected"},
	{"local and remote are connected"},
	{"local and remote are connected"},
	{"remote listens", "local connects"},
	{"remote listens"},
	{},
	{"the link loses the first SYN from local", "local connects", "remote connects"},
}

// weighed is a choice and how often it is taken.
type weighed struct {
	times int
	text  string
}

var calls = spread([]weighed{
	{4, "reads"}, {1, "reads 5"}, {3, "writes 1"}, {3, "writes 10"}, {2, "writes 1000"},
	{3, "shuts down writing"}, {1, "shuts down reading"}, {1, "shuts down both"},
	{4, "closes"}, {1, "aborts"}, {1, "exits"}, {1, "destroys"}, {1, "takes error"},
	{2, "connects"}, {1, "listens"}, {2, "accepts"}, {1, "stops listening"},
	{2, "sets keepalive on idle 24s every 12s probes 2"}, {1, "sets keepalive off"},
	{1, "sets linger2 never"}, {1, "sets linger2 30s"}, {1, "sets user-timeout 5s"},
})

var waits = []string{"wait 900ms", "wait 19s", "wait 1m10s", "wait 3m"}

// losses never count pure ACKs: how many there are is not the same. Nor is when
// a copy arrives, or what overtakes what is delayed: to the lab's link the model's
// millisecond is an age.
var losses = spread([]weighed{
	{2, "everything"}, {1, "every FIN"}, {1, "every RST"}, {1, "every ACK"}, {1, "every data segment"},
	{2, "the first FIN"}, {2, "the first RST"}, {1, "the first 2 FINs"}, {1, "the first SYN"}, {1, "the first SYN|ACK"},
	{1, "the first data segment"}, {1, "the 2nd data segment"},
})

func spread(all []weighed) []string {
	var out []string
	for _, w := range all {
		for range w.times {
			out = append(out, w.text)
		}
	}
	return out
}

var hosts = []string{"local", "remote"}

func line() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		host := rapid.SampledFrom(hosts).Draw(t, "host")
		switch n := rapid.IntRange(0, 19).Draw(t, "kind"); {
		case n < 14:
			return host + " " + rapid.SampledFrom(calls).Draw(t, "call")
		case n < 16:
			return rapid.SampledFrom(waits).Draw(t, "wait")
		case n < 17:
			return "the link recovers"
		}
		from := rapid.SampledFrom([]string{"", " from local", " from remote"}).Draw(t, "from")
		return "the link loses " + rapid.SampledFrom(losses).Draw(t, "which") + from
	})
}

// scaled leaves out what the lab can not shorten alike. User timeouts, where
// there is keepalive: the one is shortened by the waits between retransmissions,
// the other by whole seconds, and TCP_USER_TIMEOUT also ends keepalive
// (tcp_timer.c, tcp_keepalive_timer). And a second setting of keepalive, which
// would count from the last segment received, on the kernel's clock (tcp.c,
// tcp_sock_set_keepidle_locked), or be the other host's, who would probe at the
// same time.
func scaled(lines []string) []string {
	has := func(part string) func(string) bool {
		return func(l string) bool { return strings.Contains(l, part) }
	}
	if slices.ContainsFunc(lines, has("keepalive on")) {
		lines = slices.DeleteFunc(lines, has("user-timeout"))
	}
	on := false
	return slices.DeleteFunc(lines, func(l string) bool {
		if !strings.Contains(l, "keepalive on") {
			return false
		}
		defer func() { on = true }()
		return on
	})
}
