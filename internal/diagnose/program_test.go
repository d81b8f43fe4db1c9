package diagnose

import (
	"slices"
	"testing"

	"github.com/closewait/closewait/internal/observe"
)

func TestTitles(t *testing.T) {
	for _, r := range []struct {
		name, exe string
		argv      []string
		want      string
	}{
		{"a plain program", "/usr/bin/curl", []string{"/usr/bin/curl", "http://x/"}, "curl"},
		{"found in the path", "/usr/bin/curl", []string{"curl"}, "curl"},
		{"a login shell", "/bin/bash", []string{"-bash"}, "bash"},
		{"A title tells more than comm: mod_wsgi's comm is apache2", "/usr/sbin/apache2", []string{"(wsgi:horizon)", "-k", "start"}, "(wsgi:horizon)"},
		{"Apache", "/usr/sbin/apache2", []string{"/usr/sbin/apache2", "-k", "start"}, "apache2"},
		{"nginx", "/usr/sbin/nginx", []string{"nginx: worker process"}, "nginx: worker process"},
		{"padding is cut", "/usr/sbin/nginx", []string{"nginx: worker process      "}, "nginx: worker process"},
		{"gunicorn with setproctitle", "/usr/bin/python3.11", []string{"gunicorn: worker [horizon.wsgi]"}, "gunicorn: worker [horizon.wsgi]"},
		{"gunicorn without", "/usr/bin/python3.11", []string{"/usr/bin/python3", "/usr/bin/gunicorn", "app:wsgi"}, "python3 gunicorn"},
		{"a module", "/usr/bin/python3.11", []string{"python3", "-m", "http.server", "80"}, "python3 -m http.server"},
		{"flags before the script", "/usr/bin/python3.11", []string{"python3", "-u", "/srv/app.py"}, "python3 app.py"},
		{"a one-liner", "/usr/bin/python3.11", []string{"python3", "-c", "import os"}, "python3 -c"},
		{"an interactive one", "/usr/bin/python3.11", []string{"python3"}, "python3"},
		{"node", "/usr/bin/node", []string{"node", "--max-old-space-size=4096", "server.js"}, "node server.js"},
		{"java -jar", "/usr/lib/jvm/bin/java", []string{"java", "-Xmx1g", "-jar", "/opt/kafka.jar"}, "java -jar kafka.jar"},
		{"java with a class path", "/usr/lib/jvm/bin/java", []string{"java", "-cp", "/a.jar:/b.jar", "org.example.Main", "x"}, "java org.example.Main"},
		{"a class path without an end", "/usr/lib/jvm/bin/java", []string{"java", "-cp"}, "java"},
		{"re-executed", "/opt/app/bin/app", []string{"/proc/self/exe", "child"}, "app"},
		{"a path with a space is no title", "/opt/my app/run", []string{"/opt/my app/run"}, "run"},
		{"no argument vector: comm", "/usr/bin/x", nil, "app-comm"},
		{"an empty one", "/usr/bin/x", []string{""}, "app-comm"},
	} {
		p := observe.Process{Comm: "app-comm", Exe: r.exe, Cmdline: r.argv}
		if got := titleOf(&p); got != r.want {
			t.Errorf("%s: %q, want %q", r.name, got, r.want)
		}
	}
}

// TestOneOwner: the workers of one server are one owner with many pids; others
// are not.
func TestOneOwner(t *testing.T) {
	for _, r := range []struct {
		name  string
		a, b  func(p *observe.Process)
		owner int // how many
	}{
		{"the workers of one Apache", argv("(wsgi:horizon)"), argv("(wsgi:horizon)"), 1},
		{"two WSGI groups of one Apache", argv("(wsgi:horizon)"), argv("(wsgi:keystone)"), 2},
		{"numbered workers of one gunicorn", argv("gunicorn: worker #1 [app]"), argv("gunicorn: worker #12 [app]"), 1},
		{"the backends of one PostgreSQL", argv("postgres: app db 10.0.0.7(44321) idle"), argv("postgres: app db 10.0.0.12(9) idle"), 1},
		{"two databases", argv("postgres: app db 10.0.0.7(44321) idle"), argv("postgres: app other 10.0.0.7(44321) idle"), 2},
		{"two scripts of one interpreter", argv("python3", "/srv/a.py"), argv("python3", "/srv/b.py"), 2},
		{"one script, other arguments", argv("python3", "/srv/a.py", "1"), argv("python3", "/srv/a.py", "2"), 1},
		{"two containers", cgroup("0::/docker/" + cid), cgroup("0::/docker/" + cid2), 2},
		{"one container, two groups within", cgroup("0::/docker/" + cid + "/a"), cgroup("0::/docker/" + cid + "/b"), 1},
		{"two units", cgroup("0::/system.slice/a.service"), cgroup("0::/system.slice/b.service"), 2},
		{"two pods of one image", cgroup("0::/kubepods/pod" + pod), cgroup("0::/kubepods/pod0" + pod[1:]), 2},
		{"two namespaces", func(p *observe.Process) { p.NetNS = 7 }, func(p *observe.Process) { p.NetNS = 8 }, 2},
		{"another executable under the same title", func(p *observe.Process) { p.Exe = "/a" }, func(p *observe.Process) { p.Exe = "/b" }, 2},
		{"the executable can't be read: comm", func(p *observe.Process) { p.Exe, p.Comm = "", "x" }, func(p *observe.Process) { p.Exe, p.Comm = "", "x" }, 1},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld()
			r.a(w.process(200, "/usr/bin/worker"))
			r.b(w.process(201, "/usr/bin/worker"))
			w.addMany(3, recvQ(1), heldBy(200))
			w.addMany(5, recvQ(1), heldBy(201))
			rep := w.report()
			if len(rep.Findings) != r.owner {
				t.Fatalf("%d owners, want %d", len(rep.Findings), r.owner)
			}
			if o := rep.Findings[0].Owner; r.owner == 1 && (o.PID != 201 || !slices.Equal(o.PIDs, []OwnerPID{{PID: 200, Count: 3}, {PID: 201, Count: 5}})) {
				t.Errorf("%+v", o)
			}
		})
	}
}

func argv(args ...string) func(*observe.Process) {
	return func(p *observe.Process) { p.Cmdline = args }
}

func cgroup(line string) func(*observe.Process) {
	return func(p *observe.Process) { p.Cgroups = []string{line} }
}

func TestHolders(t *testing.T) {
	type pc = OwnerPID
	for _, r := range []struct {
		name    string
		holders []int32
		owner   int
		pids    []OwnerPID
		also    []int
	}{
		{"one", []int32{100}, 100, []pc{{100, 0, 1}}, nil},
		{"several descriptors of one process count once", []int32{100, 100, 100, 100, 100, 100}, 100, []pc{{100, 0, 1}}, nil},
		{"in whatever order they come", []int32{100, 200, 300, 100, 100, 200, 100}, 100, []pc{{100, 0, 1}}, []int{200, 300}},
		{"after fork the oldest is the owner, the others are listed", []int32{300, 100}, 100, []pc{{100, 0, 1}}, []int{300}},
		{"a worker of the same program is an owner too", []int32{400, 100}, 100, []pc{{100, 0, 1}, {400, 44, 1}}, nil},
		{"a holder that could not be described", []int32{555, 200}, 200, []pc{{200, 0, 1}}, []int{555}},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld()
			w.process(200, "/bin/b")
			w.process(300, "/bin/c")
			w.process(400, "/opt/app/bin/app").NSPIDs = []int{7, 44}
			w.add(recvQ(1), heldBy(r.holders...))
			f := only(t, w.report())
			if f.Owner == nil || f.Owner.PID != r.owner || !slices.Equal(f.Owner.PIDs, r.pids) || !slices.Equal(f.AlsoHeldBy, r.also) {
				t.Errorf("owner %+v, also %v", f.Owner, f.AlsoHeldBy)
			}
		})
	}
	w := newWorld()
	w.add(recvQ(1), heldBy(555))
	if f := only(t, w.report()); f.Owner != nil || f.Cause != EOFUnread {
		t.Errorf("a holder that ended during the look: a missing owner, never a wrong one: %+v", f.Owner)
	}
}
