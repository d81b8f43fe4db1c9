package symbols

import (
	"path"
	"slices"
	"strings"
)

// assign finds the role of a frame that has none yet, and what is to be said of
// it. exe is the path of the process's program.
func (f *Frame) assign(exe string) {
	if f.Role != Unknown {
		return
	}
	base := path.Base(f.Module)
	if language := interpreter(base); language != "" {
		f.Role = Interpreter
		f.note(language + " frames are not resolved yet")
		return
	}
	if eventLoop(f.Function) {
		f.Role = EventLoop
		f.note("an event loop: it does not show which code opened or uses the connection")
		return
	}
	switch {
	case plumbingModule(base):
		f.Role = Plumbing
	case f.Module == JIT:
		f.Role = f.compiledRole()
	case f.Function == "":
		f.Role = Unknown
	default:
		f.Role = nativeRole(f.Function, base, f.Module == exe)
	}
}

func (f *Frame) note(text string) {
	if f.Note == "" {
		f.Note = text
	}
}

// interpreter names the language whose interpreter a file is.
func interpreter(base string) string {
	if module, _, ok := strings.Cut(base, ".cpython-"); ok && strings.HasPrefix(module, "_s") {
		return "Python" // _socket and _ssl, its socket layer
	}
	for _, known := range []struct{ prefix, language string }{
		{"python", "Python"}, {"libpython", "Python"}, {"pypy", "Python"}, {"libpypy", "Python"},
		{"ruby", "Ruby"}, {"libruby", "Ruby"}, {"perl", "Perl"}, {"libperl", "Perl"},
		{"php", "PHP"}, {"libphp", "PHP"}, {"lua", "Lua"}, {"liblua", "Lua"},
	} {
		if rest, ok := strings.CutPrefix(base, known.prefix); ok && strings.Trim(rest, "0123456789.-jitcgfpmdsow") == "" {
			return known.language
		}
	}
	return ""
}

// plumbingModule tells the C library, its loader and the virtual machines' own
// libraries.
func plumbingModule(base string) bool {
	name, _, _ := strings.Cut(base, ".so")
	name, _, _ = strings.Cut(name, "-2.") // libc-2.31.so
	return base == "[vdso]" || strings.HasPrefix(base, "ld-linux") || strings.HasPrefix(base, "ld-musl") ||
		slices.Contains([]string{"libc", "libpthread", "ld", "libstdc++", "libgcc_s", "libjvm", "libnio", "libnet", "libjava", "libjli", "libextnet"}, name) && name != base
}

// loops are functions of event loops: libuv, libevent, libev, GLib, nginx, Redis,
// those of Go, Java and Rust that schedule others, and Node's queue of ticks.
var loops = []string{
	"uv_run", "uv__io_poll", "uv__run_", "uv__stream_io", "uv__read", "uv__server_io",
	"event_base_loop", "event_base_dispatch", "ev_run", "ev_invoke_pending",
	"g_main_loop_run", "g_main_context_iterate", "g_main_context_dispatch", "g_main_dispatch",
	"ngx_process_events_and_timers", "ngx_epoll_process_events", "ngx_worker_process_cycle", "aeProcessEvents", "aeMain",
	"tokio::runtime::", "mio::poll::", "boost::asio::detail::scheduler::", "boost::asio::detail::epoll_reactor",
	"io.netty.channel.epoll.EpollEventLoop", "io.netty.channel.nio.NioEventLoop", "io.netty.util.concurrent.", "sun.nio.ch.EPoll", "sun.nio.ch.Selector",
	"node::SpinEventLoop", "processTicksAndRejections",
}

func eventLoop(function string) bool {
	return slices.ContainsFunc(loops, func(prefix string) bool { return strings.HasPrefix(function, prefix) })
}

// goRole judges a Go function by its package. Packages of the standard library have
// no dot before their first slash.
func goRole(function, main string) Role {
	pkg := goPackage(function)
	first, _, _ := strings.Cut(pkg, "/")
	switch {
	case pkg == "main", main != "" && (pkg == main || strings.HasPrefix(pkg, main+"/")):
		return Application
	case strings.Contains(first, "."):
		if strings.HasPrefix(pkg, "golang.org/x/sys/") {
			return Plumbing
		}
		return Library
	case slices.Contains([]string{"runtime", "internal", "syscall", "net", "os", "io", "bufio", "sync", "context", "reflect", "time"}, first) &&
		!strings.HasPrefix(pkg, "net/") || pkg == "net/netip":
		return Plumbing
	}
	return Library
}

// goPackage cuts the package from a function's name: host/path/pkg.(*T).Method.
func goPackage(function string) string {
	// A type argument may hold slashes and dots.
	head, _, _ := strings.Cut(function, "[")
	slash := strings.LastIndexByte(head, '/') + 1
	pkg, _, _ := strings.Cut(head[slash:], ".")
	// The compiler writes dots of a path's last element as %2e.
	return head[:slash] + strings.ReplaceAll(pkg, "%2e", ".")
}

// nativeRole judges a function of C and its kin.
func nativeRole(function, base string, program bool) Role {
	for _, prefix := range []string{
		"std::", "core::", "<std::", "__libc_", "_start", "__pthread", "start_thread",
		"v8::", "node::", "Builtins_", "uv_", "uv__", "art::",
	} {
		if strings.HasPrefix(function, prefix) {
			return Plumbing
		}
	}
	// A static program holds the C library's system calls itself.
	if program && slices.Contains(wrappers, strings.TrimLeft(function, "_")) {
		return Plumbing
	}
	if program && base != "java" && base != "node" {
		return Application
	}
	if base == "node" || base == "java" {
		return Plumbing
	}
	return Library
}

// wrappers are the C library's functions that open or read a socket.
var wrappers = []string{
	"connect", "accept", "accept4", "read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg", "splice",
	"libc_connect", "libc_accept", "libc_accept4", "libc_read", "libc_readv", "libc_recv", "libc_recvfrom", "libc_recvmsg",
	"libc_start_main", "libc_start_call_main", "libc_start_main_impl", "syscall", "write", "writev", "send", "sendto", "sendmsg",
}

// compiledRole judges a function that a virtual machine compiled.
func (f *Frame) compiledRole() Role {
	switch {
	case f.Function == "":
		return Unknown
	case f.File != "":
		return scriptRole(f.File)
	case strings.HasPrefix(f.Function, "Builtin:"), strings.HasPrefix(f.Function, "BytecodeHandler:"), strings.HasPrefix(f.Function, "Stub:"):
		return Plumbing
	case strings.HasPrefix(f.Function, "Interpreter"):
		f.note("the method runs in the interpreter, which names none")
		return Interpreter
	}
	return javaRole(f.Function)
}

func scriptRole(file string) Role {
	switch {
	case strings.HasPrefix(file, "node:_http"), strings.HasPrefix(file, "node:http"), strings.HasPrefix(file, "node:https"),
		strings.HasPrefix(file, "node:internal/deps/undici"), strings.Contains(file, "/node_modules/"):
		return Library
	case strings.HasPrefix(file, "node:"):
		return Plumbing
	}
	return Application
}

// javaRole judges a method, or a stub of the virtual machine.
func javaRole(name string) Role {
	switch {
	case !strings.ContainsAny(name, ".:"):
		return Plumbing // a stub of the virtual machine
	case strings.HasPrefix(name, "java.net.http."), strings.HasPrefix(name, "jdk.internal.net.http."), strings.HasPrefix(name, "sun.net.www."):
		return Library
	}
	for _, prefix := range []string{"java.", "javax.", "jdk.", "sun.", "com.sun."} {
		if strings.HasPrefix(name, prefix) {
			return Plumbing
		}
	}
	return Application
}

// outermost tells whether nothing of interest calls a function: where programs,
// threads and goroutines begin.
func outermost(function string) bool {
	return slices.Contains([]string{
		"main", "_start", "__libc_start_call_main", "__libc_start_main", "__libc_start_main_impl", "_start_c",
		"start_thread", "clone", "__clone", "clone3", "__clone3", "start",
	}, function) || strings.HasPrefix(function, "runtime.goexit") || strings.HasPrefix(function, "runtime.rt0_go")
}
