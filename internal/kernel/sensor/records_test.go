//go:build linux

package sensor

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestRecordsAreReadWhateverTheReadsReturn(t *testing.T) {
	one := make([]byte, sizeListed)
	one[12] = familyIPv4
	three := bytes.Repeat(one, 3)
	for i := range 3 {
		three[i*sizeListed] = byte(i + 1)
	}
	for name, in := range map[string]io.Reader{
		"at once": bytes.NewReader(three), "byte by byte": iotest.OneByteReader(bytes.NewReader(three)),
		"with the end": iotest.DataErrReader(bytes.NewReader(three)),
	} {
		var got []uint64
		err := readRecords(in, func(r *Record) error {
			got = append(got, r.Cookie)
			return nil
		})
		if err != nil || len(got) != 3 || got[0] != 1 || got[2] != 3 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if err := readRecords(bytes.NewReader(three[:200]), func(*Record) error { return nil }); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut off: %v", err)
	}
	enough := errors.New("enough")
	if err := readRecords(bytes.NewReader(three), func(*Record) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the caller's error: %v", err)
	}
}

func FuzzReadRecords(f *testing.F) {
	f.Add(make([]byte, 2*sizeListed))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_ = readRecords(bytes.NewReader(b), func(*Record) error { return nil })
	})
}
