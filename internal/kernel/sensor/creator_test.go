//go:build linux && amd64

package sensor

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

//go:noinline
func beginsHere(t *testing.T, at *unix.SockaddrInet4, made chan<- *os.File) {
	go opensFor(t, at, made)
}

//go:noinline
func beginsThere(t *testing.T, at *unix.SockaddrInet4, made chan<- *os.File) {
	go opensFor(t, at, made)
}

func opensFor(t *testing.T, at *unix.SockaddrInet4, made chan<- *os.File) {
	made <- connect(t, at, 0)
}

// A goroutine's stack ends where it began; which go statement that was, the
// goroutine itself knows.
func TestWhichGoStatementBeganTheOpener(t *testing.T) {
	s := start(t)
	l, at := listen(t, 0)
	ids := map[string]map[uint32]bool{}
	for _, row := range []struct {
		begin func(*testing.T, *unix.SockaddrInet4, chan<- *os.File)
		want  string
	}{{beginsHere, "sensor.beginsHere"}, {beginsThere, "sensor.beginsThere"}} {
		ids[row.want] = map[uint32]bool{}
		for range 3 {
			made := make(chan *os.File)
			row.begin(t, at, made)
			ours := <-made
			accept(t, l)
			id := history(t, s, ours).OpenerStack
			ids[row.want][id] = true
			st := stack(t, s, id)
			if len(st.Creators) != 1 || !strings.HasSuffix(runtime.FuncForPC(uintptr(st.Creators[0]-1)).Name(), row.want) {
				t.Errorf("creators %x of %s, want %s", st.Creators, functions(st), row.want)
			}
		}
		if len(ids[row.want]) != 1 {
			t.Errorf("one go statement's goroutines have the stacks %v", ids[row.want])
		}
	}
	for id := range ids["sensor.beginsHere"] {
		if ids["sensor.beginsThere"][id] {
			t.Error("two go statements have one stack")
		}
	}
}
