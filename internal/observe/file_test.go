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
	back, err := observe.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, sample()) {
		t.Errorf("read back:\n%+v\nwant:\n%+v", back, sample())
	}
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":          {"", "it is empty"},
		"no JSON":        {"hello", "not a snapshot"},
		"other schema":   {`{"schema":"closewait/v1"}`, "--save FILE"},
		"trailing":       {`{"schema":"closewait-snapshot/v1","taken_at":"2026-01-01T00:00:00Z"} {}`, "something follows"},
		"no time":        {`{"schema":"closewait-snapshot/v1"}`, "taken_at"},
		"unknown state":  {`{"schema":"closewait-snapshot/v1","sockets":[{"state":"HALF"}]}`, "unknown TCP state"},
		"no state":       {`{"schema":"closewait-snapshot/v1","taken_at":"2026-01-01T00:00:00Z","sockets":[{}]}`, "socket 0 has no state"},
		"no address":     {`{"schema":"closewait-snapshot/v1","taken_at":"2026-01-01T00:00:00Z","sockets":[{"state":"CLOSE_WAIT"}]}`, "socket 0 has no local address"},
		"negative queue": {`{"schema":"closewait-snapshot/v1","sockets":[{"recv_q":-1}]}`, "recv_q"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := observe.Read(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
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
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := observe.Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := observe.Write(&again, s); err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
		if _, err := observe.Read(&again); err != nil {
			t.Fatalf("what was written can't be read: %v", err)
		}
	})
}
