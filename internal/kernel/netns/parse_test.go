//go:build linux

package netns

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseLink(t *testing.T) {
	for text, want := range map[string]uint64{
		"net:[4026531840]": 4026531840, "net:[1]": 1, "net:[9223372036854775807]": 1<<63 - 1,
		"": 0, "net:[]": 0, "net:[0]": 0, "net:[12": 0, "net:12]": 0, "mnt:[12]": 0, "net:[-1]": 0, "net:[1x]": 0, "net:[99999999999999999999]": 0,
	} {
		if got, ok := parseLink([]byte(text)); got != want || ok != (want != 0) {
			t.Errorf("%q is %d, %v; want %d", text, got, ok, want)
		}
	}
}

func TestParseMounts(t *testing.T) {
	const text = `22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/vda rw
36 35 0:4 net:[4026532281] /run/netns/blue rw shared:22 - nsfs nsfs rw
37 35 0:4 net:[4026532281] /run/netns/azure rw - nsfs nsfs rw
38 35 0:4 mnt:[4026532300] /run/snapd/ns/x.mnt rw - nsfs nsfs rw
39 35 0:4 net:[4026532282] /tmp/with\040space\134 rw shared:1 master:2 - nsfs nsfs rw
40 nsfs
41 35 0:9 net:[5] /tmp/impostor rw - tmpfs nsfs rw
`
	var got []string
	if err := parseMounts(strings.NewReader(text), func(id uint64, path string) { got = append(got, fmt.Sprint(id, " ", path)) }); err != nil {
		t.Fatal(err)
	}
	want := `[4026532281 /run/netns/blue 4026532281 /run/netns/azure 4026532282 /tmp/with space\]`
	if fmt.Sprint(got) != want {
		t.Errorf("mounts are %v, want %v", got, want)
	}
	endless := strings.NewReader(strings.Repeat("x", mountLine+1))
	if err := parseMounts(endless, func(uint64, string) {}); err == nil {
		t.Error("an endless line is no error")
	}
}

func FuzzParseLink(f *testing.F) {
	f.Add([]byte("net:[4026531840]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if id, ok := parseLink(b); ok != (id != 0) {
			t.Errorf("%q is %d, %v", b, id, ok)
		}
	})
}

func FuzzParseMounts(f *testing.F) {
	f.Add("36 35 0:4 net:[4026532281] /run/net\\040ns/blue rw shared:22 - nsfs nsfs rw\n")
	f.Fuzz(func(t *testing.T, text string) {
		_ = parseMounts(strings.NewReader(text), func(id uint64, path string) {
			if id == 0 || path == "" || len(path) > len(text) {
				t.Errorf("%q gives %d %q", text, id, path)
			}
		})
	})
}
