package main

import (
	"net/netip"
	"testing"
	"time"
)

func TestParsePeer(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.5":             "10.0.0.5/32:0",
		"10.0.0.5:443":         "10.0.0.5/32:443",
		"10.1.2.3/8":           "10.0.0.0/8:0",
		"2001:db8::5":          "2001:db8::5/128:0",
		"[2001:db8::5]":        "2001:db8::5/128:0",
		"[2001:db8::5]:443":    "2001:db8::5/128:443",
		"2001:db8::/32":        "2001:db8::/32:0",
		"::ffff:10.0.0.5":      "10.0.0.5/32:0",
		"[::ffff:10.0.0.5]:80": "10.0.0.5/32:80",
		"::ffff:10.0.0.0/104":  "10.0.0.0/8:0",
		"fe80::1%eth0":         "fe80::1/128:0",
		"":                     "", "x": "", "10.0.0": "", "10.0.0.5:x": "", "10.0.0.0/33": "", ":443": "",
	} {
		p, err := parsePeer(in)
		switch {
		case (err == nil) != (want != ""):
			t.Errorf("parsePeer(%q): error %v", in, err)
		case err == nil && p.Prefix.String()+":"+netip.AddrPortFrom(netip.IPv4Unspecified(), p.Port).String()[8:] != want:
			t.Errorf("parsePeer(%q) = %v port %d, want %s", in, p.Prefix, p.Port, want)
		}
	}
}

func FuzzParsePeer(f *testing.F) {
	f.Add("10.0.0.5:443")
	f.Add("[::ffff:1.2.3.4%x]:1")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePeer(s)
		if err == nil && (!p.Prefix.IsValid() || p.Prefix.Addr().Zone() != "" || p.Prefix != p.Prefix.Masked()) {
			t.Errorf("parsePeer(%q) = %v", s, p)
		}
	})
}

func TestBrief(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", time.Second: "1s", time.Minute: "1m", 90 * time.Second: "1m30s", 24 * time.Hour: "24h", time.Hour + 20*time.Minute: "1h20m",
		10 * time.Second: "10s", 500 * time.Millisecond: "500ms", time.Hour + time.Second: "1h0m1s", 10 * time.Minute: "10m", 10 * time.Hour: "10h",
	} {
		if got := brief(d); got != want {
			t.Errorf("brief(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestOneOf(t *testing.T) {
	for want, all := range map[string][]string{"": nil, "a": {"a"}, "a or b": {"a", "b"}, "a, b or c": {"a", "b", "c"}} {
		if got := oneOf(all); got != want {
			t.Errorf("oneOf(%q) = %q", all, got)
		}
	}
}
