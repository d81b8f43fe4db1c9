//go:build linux

package sensor

import (
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// described finds a struct of the committed objects.
func described(t *testing.T, name string) *btf.Struct {
	t.Helper()
	for _, load := range []func() (*ebpf.CollectionSpec, error){loadTrace, loadList} {
		spec, err := load()
		must(t, err)
		var s *btf.Struct
		if spec.Types.TypeByName(name, &s) == nil {
			return s
		}
	}
	t.Fatalf("no object has a struct %s", name)
	return nil
}

func offset(t *testing.T, s *btf.Struct, member string) int {
	t.Helper()
	for _, m := range s.Members {
		if m.Name == member {
			return int(m.Offset.Bytes())
		}
	}
	t.Fatalf("struct %s has no %s", s.Name, member)
	return 0
}

func TestSizesAreThoseOfTheObjects(t *testing.T) {
	for _, row := range []struct {
		name string
		size int
	}{{"history", sizeHistory}, {"listed", sizeListed}, {"event", sizeEvent}, {"stack", sizeStack}} {
		if got := int(described(t, row.name).Size); got != row.size {
			t.Errorf("struct %s has %d bytes, the decoder reads %d", row.name, got, row.size)
		}
	}
	spec, err := loadTrace()
	must(t, err)
	if got := spec.Maps[traceMapStacks].MaxEntries; got != mostStacks {
		t.Errorf("%d stacks are kept, and %d said", got, mostStacks)
	}
}

// Each member, and what decoding it with all its bits set changes.
func TestEveryMemberIsDecoded(t *testing.T) {
	for _, row := range []struct {
		of      string
		decode  func(b []byte) (string, error)
		skipped string
		fixed   map[string]byte // what must be there for the rest to be read
	}{
		{"history", func(b []byte) (string, error) {
			var h History
			decodeHistory(b, &h)
			return fmt.Sprintf("%+v", h), nil
		}, "copied_seq", nil},
		{"listed", func(b []byte) (string, error) {
			var r Record
			err := decodeRecord(b, &r)
			return fmt.Sprintf("%+v", r), err
		}, "pad", map[string]byte{"family": familyIPv6}},
		{"event", func(b []byte) (string, error) {
			var e Event
			err := decodeEvent(b, &e)
			return fmt.Sprintf("%+v", e), err
		}, "pad2", map[string]byte{"family": familyIPv6, "kind": byte(KindEnded)}},
		{"stack", func(b []byte) (string, error) {
			s, err := decodeStack(b)
			return fmt.Sprintf("%+v", s), err
		}, "hash", map[string]byte{"count": 1}},
	} {
		s := described(t, row.of)
		plain := make([]byte, s.Size)
		for member, value := range row.fixed {
			plain[offset(t, s, member)] = value
		}
		want, err := row.decode(plain)
		must(t, err)
		for _, m := range s.Members {
			if _, fixed := row.fixed[m.Name]; fixed || slices.Contains(strings.Fields(row.skipped), m.Name) {
				continue
			}
			changed := slices.Clone(plain)
			// The lowest and the third byte: below and above a moment's 16 bits.
			changed[m.Offset.Bytes()] ^= 1
			size, err := btf.Sizeof(m.Type)
			must(t, err)
			if size > 2 {
				changed[m.Offset.Bytes()+2] ^= 1
			}
			if got, err := row.decode(changed); err != nil || got == want {
				t.Errorf("struct %s: %s changes nothing: %v", row.of, m.Name, err)
			}
		}
	}
}

// What an older or a newer closewait has pinned is told by the number alone, so a
// layout that changed has a new one: raise it, and write the new sum here.
func TestALayoutHasItsNumber(t *testing.T) {
	const number, sum = 4, 0x51f649c5c7144426
	digest := fnv.New64a()
	for _, name := range []string{"history", "listed", "event", "stack", "tally", "control", "place"} {
		describe(digest, described(t, name))
	}
	if got := digest.Sum64(); got != sum || layout != number {
		t.Errorf("layout %d has the sum %#x; here stand %d and %#x", layout, got, number, uint64(sum))
	}
}

func describe(to io.Writer, s *btf.Struct) {
	fmt.Fprintln(to, s.Name, s.Size)
	for _, m := range s.Members {
		size, _ := btf.Sizeof(m.Type)
		fmt.Fprintln(to, m.Name, m.Offset, size)
	}
}
