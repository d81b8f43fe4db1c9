package symbols

import "testing"

func TestRoles(t *testing.T) {
	const exe = "/srv/app"
	for _, row := range []struct {
		frame Frame
		want  Role
	}{
		{Frame{Function: "open_upstream", Module: exe}, Application},
		{Frame{Function: "curl_easy_perform", Module: "/usr/lib/libcurl.so.4"}, Library},
		{Frame{Function: "recv", Module: "/usr/lib/x86_64-linux-gnu/libc.so.6"}, Plumbing},
		{Frame{Function: "recv", Module: "/lib/ld-musl-x86_64.so.1"}, Plumbing},
		{Frame{Function: "read", Module: "/lib/x86_64-linux-gnu/libpthread-2.31.so"}, Plumbing},
		{Frame{Function: "__libc_recv", Module: exe}, Plumbing},
		{Frame{Module: exe}, Unknown},
		{Frame{Function: "uv_run", Module: "/usr/lib/libuv.so.1"}, EventLoop},
		{Frame{Function: "ngx_epoll_process_events", Module: exe}, EventLoop},
		{Frame{Function: "_PyEval_EvalFrameDefault", Module: "/usr/bin/python3.11"}, Interpreter},
		{Frame{Module: "/usr/lib/libpython3.11.so.1.0"}, Interpreter},
		{Frame{Module: "/usr/lib/python3/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so"}, Interpreter},
		{Frame{Function: "php_stream_read", Module: "/usr/sbin/php-fpm8.2"}, Interpreter},
		{Frame{Function: "serve", Module: "/usr/bin/pythonista"}, Library},
		{Frame{Function: "f", File: "/srv/app.js", Module: JIT}, Application},
		{Frame{Function: "f", File: "/srv/node_modules/got/index.js", Module: JIT}, Library},
		{Frame{Function: "internalConnect", File: "node:net", Module: JIT}, Plumbing},
		{Frame{Function: "com.acme.App.main", Module: JIT}, Application},
		{Frame{Function: "java.net.Socket.connect", Module: JIT}, Plumbing},
		{Frame{Function: "jdk.internal.net.http.Http1Exchange.send", Module: JIT}, Library},
		{Frame{Function: "Interpreter", Module: JIT}, Interpreter},
		{Frame{Module: JIT}, Unknown},
		{Frame{Function: "x", Role: Creator}, Creator},
	} {
		f := row.frame
		if f.assign(exe); f.Role != row.want {
			t.Errorf("%+v: %d, want %d", row.frame, f.Role, row.want)
		}
	}
	for function, want := range map[string]Role{
		"main.main":                               Application,
		"example.org/shop/cart.(*Cart).Load":      Application,
		"example.org/shopping.Load":               Library,
		"github.com/redis/go-redis/v9.(*Conn).Do": Library,
		"gopkg.in/yaml%2ev3.f":                    Library,
		"net/http.(*Transport).dialConn":          Library,
		"database/sql.(*DB).conn":                 Library,
		"crypto/tls.(*Conn).Read":                 Library,
		"net.(*conn).Read":                        Plumbing,
		"internal/poll.(*FD).Read":                Plumbing,
		"runtime.goexit":                          Plumbing,
		"golang.org/x/sys/unix.Connect":           Plumbing,
		"slices.SortFunc[go.shape.[]a/b.C]":       Library,
	} {
		if got := goRole(function, "example.org/shop"); got != want {
			t.Errorf("%s: %d, want %d", function, got, want)
		}
	}
}

func TestCodeShowsTheNearest(t *testing.T) {
	frames := func(roles ...Role) []Frame {
		var all []Frame
		for i, r := range roles {
			all = append(all, Frame{Addr: uint64(i), Role: r})
		}
		return all
	}
	for _, row := range []struct {
		name  string
		stack []Frame
		want  []uint64
	}{
		{"empty", nil, nil},
		{"own code", frames(Plumbing, Application, Application, Plumbing), []uint64{1}},
		{"a library", frames(Plumbing, Library, Library, Application), []uint64{1, 3}},
		{"called back", frames(Plumbing, Application, Library, Application), []uint64{1}},
		{"a goroutine of a library", frames(Plumbing, Library, Plumbing, Creator), []uint64{1, 3}},
		{"a library alone", frames(Plumbing, Library, Plumbing), []uint64{1}},
		{"an event loop", frames(Plumbing, EventLoop, EventLoop, Application), []uint64{1}},
		{"in an event loop", frames(Plumbing, Application, EventLoop, Application), []uint64{1}},
		{"a library's read in an event loop", frames(Plumbing, Library, EventLoop, Application), []uint64{1, 2}},
		{"Python", frames(Plumbing, Interpreter, Interpreter, Plumbing), []uint64{1}},
		{"Python with a C library", frames(Plumbing, Library, Interpreter), []uint64{1, 2}},
		{"nameless", frames(Plumbing, Unknown, Plumbing), []uint64{1}},
		{"only plumbing", frames(Plumbing, Plumbing), []uint64{0}},
	} {
		got := Code(row.stack)
		same := len(got) == len(row.want)
		for i := range got {
			same = same && got[i].Addr == row.want[i]
		}
		if !same {
			t.Errorf("%s: got %+v, want %v", row.name, got, row.want)
		}
	}
}

func TestEnclosing(t *testing.T) {
	for name, want := range map[string]string{
		"main.background.gowrap1": "main.background",
		"main.f.func1":            "main.f",
		"main.f.func1.2":          "main.f",
		"main.(*T).M.func3.1":     "main.(*T).M",
		"net/http.(*Transport).startDialConnForLocked.func1": "net/http.(*Transport).startDialConnForLocked",
		"main.worker": "", "main.sha256": "", "main.func": "", "": "", "7": "",
	} {
		got, ok := enclosing(name)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v", name, got, ok)
		}
	}
}
