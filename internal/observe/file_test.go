package observe_test

import (
	"bytes"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

func sample() *observe.Snapshot {
	return &observe.Snapshot{
		Schema: observe.Schema, Host: observe.Host{Name: "web-3", Kernel: "6.18.1", BootID: "b"},
		TakenAt: time.Date(2026, 11, 22, 14, 3, 22, 0, time.UTC), TookMS: 31.5, Reader: "bpf", WindowMS: 60000,
		Namespaces: []observe.Namespace{{ID: 4026531840, Own: true, Entered: true, Sysctl: observe.Sysctl{FinTimeout: 60000}}},
		Processes:  []observe.Process{{PID: 2113, Comm: "apache2", Cmdline: []string{"(wsgi:horizon)"}, StartTicks: 5}},
		Sockets: []observe.Socket{
			{
				NetNS: 4026531840, Inode: 7, Cookie: 1<<63 + 1, State: tcp.CloseWait, RecvQ: 1,
				Local: netip.MustParseAddrPort("[::ffff:10.0.0.4]:41000"), Remote: netip.MustParseAddrPort("[::ffff:10.0.0.5]:5000"),
				Info: &observe.Info{LastAckRecv: 70000, LastDataRecv: 90000}, Options: &observe.Options{KeepAlive: true},
				Holders: []observe.Holder{{PID: 2113, FD: 9}},
			},
			{NetNS: 4026531840, Inode: 8, State: tcp.Closed, Info: &observe.Info{SegsIn: 3, BytesReceived: 1}},
			{NetNS: 4026531840, Inode: 9, State: tcp.Listen, Local: netip.MustParseAddrPort("[::]:80")},
		},
		Limits: []observe.Limit{{Code: observe.LimitOwners, Text: "x"}},
	}
}

func TestSnapshotSurvivesItsFile(t *testing.T) {
	var file bytes.Buffer
	if err := observe.Write(&file, sample()); err != nil {
		t.Fatal(err)
	}
	prev, back, err := observe.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	if prev != nil || !reflect.DeepEqual(back, sample()) {
		t.Errorf("read back:\n%+v\nand before it %+v; want one:\n%+v", back, prev, sample())
	}
}

func TestTwoLooksSurviveTheirFile(t *testing.T) {
	var file bytes.Buffer
	if err := observe.Write(&file, sample(), later(time.Second)); err != nil {
		t.Fatal(err)
	}
	prev, cur, err := observe.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(prev, sample()) || !reflect.DeepEqual(cur, later(time.Second)) {
		t.Errorf("read back:\n%+v\n%+v", prev, cur)
	}
}

// The wall clock may be set between two looks.
func TestTheTimeBetweenTwoLooks(t *testing.T) {
	const hour = time.Hour
	for _, c := range []struct {
		name      string
		wall      time.Duration
		was, is   time.Duration // uptime
		otherBoot bool
		want      time.Duration
	}{
		{"both clocks agree", hour, hour, 2 * hour, false, hour},
		{"the wall clock was set back", -hour, hour, 2 * hour, false, hour},
		{"no uptime", hour, 0, 0, false, hour},
		{"no uptime in the first", hour, 0, 2 * hour, false, hour},
		{"the wrong way round", hour, 2 * hour, hour, false, -hour},
		{"another boot", hour, hour, 2 * hour, true, 0},
	} {
		prev, cur := sample(), later(c.wall)
		prev.Uptime, cur.Uptime = c.was, c.is
		if c.otherBoot {
			cur.Host.BootID = "c"
		}
		if got := cur.Since(prev); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// later is sample, seen again.
func later(d time.Duration) *observe.Snapshot {
	s := sample()
	s.TakenAt = s.TakenAt.Add(d)
	return s
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	const one = `{"schema":"closewait-snapshot/v1","taken_at":"2026-01-01T00:00:00Z"}`
	const two = `{"schema":"closewait-snapshot/v1","taken_at":"2026-01-01T00:00:01Z"}`
	for name, c := range map[string]struct{ text, want string }{
		"empty":          {"", "it is empty"},
		"no JSON":        {"hello", "not a snapshot"},
		"other schema":   {`{"schema":"closewait/v1"}`, "--save FILE"},
		"other second":   {`{"schema":"closewait-snapshot/v1","taken_at":"2026-01-01T00:00:00Z"} {}`, "after the first look: not a snapshot"},
		"cut second":     {one + `{"schema":"closewait-snapshot/v1",`, "after the first look: not a snapshot: unexpected EOF"},
		"same twice":     {one + one, "not a later one"},
		"wrong order":    {two + one, "not a later one"},
		"other boot":     {`{"schema":"closewait-snapshot/v1","host":{"boot_id":"b"},"taken_at":"2026-01-01T00:00:00Z"}` + two, "at the same boot"},
		"three":          {one + two + "{}", "something follows the second look"},
		"no time":        {`{"schema":"closewait-snapshot/v1"}`, "taken_at"},
		"unknown state":  {`{"schema":"closewait-snapshot/v1","sockets":[{"state":"HALF"}]}`, "unknown TCP state"},
		"no state":       {`{"schema":"closewait-snapshot/v1","taken_at":"2026-01-01T00:00:00Z","sockets":[{}]}`, "socket 0 has no state"},
		"no address":     {`{"schema":"closewait-snapshot/v1","taken_at":"2026-01-01T00:00:00Z","sockets":[{"state":"CLOSE_WAIT"}]}`, "socket 0 has no local address"},
		"negative queue": {`{"schema":"closewait-snapshot/v1","sockets":[{"recv_q":-1}]}`, "recv_q"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := observe.Read(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one that says %q", err, c.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	var file bytes.Buffer
	if err := observe.Write(&file, sample()); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add([]byte(`{"schema":"closewait-snapshot/v1","taken_at":"2026-01-01T00:00:00Z","sockets":[{"state":"LISTEN","local":"[::]:80"}]}`))
	if err := observe.Write(&file, later(time.Second)); err != nil { // after the first
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		prev, cur, err := observe.Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		looks := []*observe.Snapshot{cur}
		if prev != nil {
			looks = []*observe.Snapshot{prev, cur}
		}
		var again bytes.Buffer
		if err := observe.Write(&again, looks...); err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
		if before, _, err := observe.Read(&again); err != nil || (before == nil) != (prev == nil) {
			t.Fatalf("what was written can't be read: %v", err)
		}
	})
}
