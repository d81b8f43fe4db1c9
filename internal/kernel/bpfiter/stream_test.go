package bpfiter

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRecordsMayStraddleReads(t *testing.T) {
	stream := join(encodeSocket(familyIPv4), encode(KindHeld, sizeHeld), encode(KindNetNS, sizeHeader))
	for name, in := range map[string]io.Reader{
		"at once":         bytes.NewReader(stream),
		"byte by byte":    iotest.OneByteReader(bytes.NewReader(stream)),
		"with the ending": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		var kinds []Kind
		err := decodeAll(in, sizeRecord, 250, "test", func(r *Record) error {
			kinds = append(kinds, r.Kind)
			return nil
		})
		if err != nil || !reflect.DeepEqual(kinds, []Kind{KindSocket, KindHeld, KindNetNS}) {
			t.Errorf("%s: kinds %v, error %v", name, kinds, err)
		}
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestStreamErrors(t *testing.T) {
	whole := encodeSocket(familyIPv4)
	broken, stop := errors.New("broken"), errors.New("stop")
	for name, row := range map[string]struct {
		in   io.Reader
		want error
	}{
		"truncated":  {bytes.NewReader(whole[:sizeRecord-1]), io.ErrUnexpectedEOF},
		"few bytes":  {strings.NewReader("\x01"), io.ErrUnexpectedEOF},
		"read error": {io.MultiReader(bytes.NewReader(whole[:30]), iotest.ErrReader(broken)), broken},
		"each":       {bytes.NewReader(whole), stop},
	} {
		err := decodeAll(row.in, 4096, 250, "test", func(*Record) error { return stop })
		if !errors.Is(err, row.want) {
			t.Errorf("%s: error %v, want %v", name, err, row.want)
		}
	}
}

func FuzzDecodeAll(f *testing.F) {
	f.Add(encodeSocket(familyIPv4), uint16(250))
	f.Add(join(encodeSocket(familyIPv6), encode(KindHeld, sizeHeld), encode(KindNetNS, sizeHeader)), uint16(300))
	f.Add(encode(KindSocket, sizeRecord)[:100], uint16(1000))
	f.Fuzz(func(t *testing.T, b []byte, hz uint16) {
		n := 0
		err := decodeAll(bytes.NewReader(b), sizeRecord, hertz(hz)+1, "fuzz", func(r *Record) error {
			n += map[Kind]int{KindSocket: sizeRecord, KindHeld: sizeHeld, KindNetNS: sizeHeader}[r.Kind]
			return nil
		})
		if n > len(b) || err == nil && n != len(b) {
			t.Errorf("decoded %d of %d bytes: %v", n, len(b), err)
		}
	})
}
