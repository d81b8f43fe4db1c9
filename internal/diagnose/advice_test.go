package diagnose

import (
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// TestThreadDumpsByRuntime: the commands only look.
func TestThreadDumpsByRuntime(t *testing.T) {
	for exe, want := range map[string]string{
		"/usr/bin/python3.11":       "py-spy dump --pid 7",
		"/usr/bin/uwsgi-core":       "py-spy dump --pid 7",
		"/usr/lib/jvm/17/bin/java":  "jstack 7",
		"/usr/bin/ruby3.1":          "rbspy snapshot --pid 7",
		"/usr/bin/dotnet":           "dotnet-stack report --process-id 7",
		"/usr/sbin/php-fpm8.2":      "phpspy -p 7",
		"/usr/lib/systemd/systemd":  "systemctl list-sockets --all", // a debugger would stop the whole host
		"/usr/sbin/nginx":           "gdb -p 7 -batch -ex 'thread apply all bt'",
		"":                          "gdb -p 7 -batch -ex 'thread apply all bt'",
		"/opt/python-tools/bin/app": "gdb -p 7 -batch -ex 'thread apply all bt'",
	} {
		if got := threadDump(&Owner{PID: 7, Exe: exe}); got != want {
			t.Errorf("%q: %q, want %q", exe, got, want)
		}
	}
}

// What is to be done follows from more than the cause.
func TestAdviceFitsWhatWasSeen(t *testing.T) {
	inbound := func(h *observe.History) { h.Outbound, h.Inbound = false, true }
	for _, r := range []struct {
		name  string
		build func(w *world)
		says  []string
		not   string
	}{
		{"an answer that nobody reads was most often not closed", func(w *world) { w.add(recvQ(52051)) }, []string{"a response that nobody closed", "to its end or close it"}, ""},
		{"a request that nobody reads", func(w *world) {
			w.listen("0.0.0.0:8080", 0, 128, appPID)
			w.add(toPort, recvQ(52051))
		}, []string{"dump its threads"}, "response"},
		{"a zero was read", func(w *world) { w.sensed().add(recvQ(0), w.remembered(600, 599, 0)) }, []string{"a read told the application", "lacks a close()"}, ""},
		{"the last read took the FIN with the data: nobody was told", func(w *world) { w.sensed().add(recvQ(0), w.remembered(600, 0, 0)) },
			[]string{"nobody has read since", "close the response"}, "returns zero"},
		{"of a server too", func(w *world) { w.sensed().add(toPort, recvQ(0), w.remembered(600, 0, 0, inbound)) },
			[]string{"not the end", "EPOLLRDHUP"}, "returns zero"},
		{"some were told", func(w *world) {
			w.sensed().add(recvQ(0), w.remembered(600, 599, 0))
			w.add(recvQ(0), w.remembered(600, 0, 0))
		}, []string{"lacks a close()"}, ""},
		{"children inherited it, and one process's close is not enough", func(w *world) {
			w.process(200, "/opt/app/bin/app")
			w.add(recvQ(0), heldBy(appPID, 200))
		}, []string{"where read() returns zero", "the last process", "SOCK_CLOEXEC"}, "lacks"},
		{"the same of an idle pool", func(w *world) {
			w.process(200, "/opt/app/bin/app")
			w.add(recvQ(1), heldBy(appPID, 200))
		}, []string{"evict idle connections", "SOCK_CLOEXEC"}, ""},
		{"one of two is held by one process", func(w *world) {
			w.process(200, "/opt/app/bin/app")
			w.add(recvQ(1), heldBy(appPID, 200))
			w.add(recvQ(1))
		}, nil, "SOCK_CLOEXEC"},
		{"two descriptors of one process are no inheritance", func(w *world) { w.add(recvQ(1), heldBy(appPID, appPID)) }, nil, "SOCK_CLOEXEC"},
		{"nobody has started the service behind a socket unit", func(w *world) {
			w.process(1, "/usr/lib/systemd/systemd")
			w.listen("0.0.0.0:8080", 3, 128, 1)
			w.add(toPort, recvQ(1), noFile)
		}, []string{"start the service"}, "workers"},
		{"a FIN behind data is no one-way connection", func(w *world) {
			w.add(state(tcp.FinWait1), noFile, sendQ(9000), timer(retransmit, 0.2, 0), quiet(1, 300, 1))
		}, []string{"waits behind data"}, "one-way"},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld()
			r.build(w)
			a := only(t, w.report()).Advice
			text := a.Meaning + "; " + a.Fix
			for _, want := range r.says {
				if !strings.Contains(text, want) {
					t.Errorf("%q does not say %q", text, want)
				}
			}
			if r.not != "" && strings.Contains(text, r.not) {
				t.Errorf("%q says %q", text, r.not)
			}
		})
	}
}

// A peer on this host that still holds its end has not closed: it has ended its side only.
func TestPeersThatOnlyEndedTheirSide(t *testing.T) {
	for _, r := range []struct {
		name  string
		peers []edit // of the second connection's other end; the first's is held
		want  bool
	}{
		{"both are held", nil, true},
		{"one has closed", []edit{noFile, noInfo, timer(timeWait, 40, 0)}, false},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld()
			w.listen("0.0.0.0:8080", 0, 128, appPID)
			w.process(200, "/usr/bin/client")
			for i, port := range []string{"40000", "40001"} {
				w.add(recvQ(0), quiet(600, 600, 600), carried(101, 0), local("10.0.0.1:8080"), remote("10.0.0.1:"+port))
				edits := []edit{state(tcp.FinWait2), carried(0, 100), heldBy(200), local("10.0.0.1:" + port), remote("10.0.0.1:8080")}
				if i == 1 {
					edits = append(edits, r.peers...)
				}
				w.add(edits...)
			}
			f := by(t, w.report(), EOFIgnored)
			if f.Count != 2 || f.PeerHolds != r.want || strings.HasPrefix(f.Advice.Meaning, "clients left") == r.want {
				t.Errorf("%d connections, held by their peers: %v, want %v; %s", f.Count, f.PeerHolds, r.want, f.Advice.Meaning)
			}
			if keeps := by(t, w.report(), PeerKeepsOpen); keeps.PeerHolds {
				t.Error("said of a side that has sent its FIN itself")
			}
		})
	}
}
