package diagnose

import "testing"

// TestThreadDumpsByRuntime: the commands only look.
func TestThreadDumpsByRuntime(t *testing.T) {
	for exe, want := range map[string]string{
		"/usr/bin/python3.11":       "py-spy dump --pid 7",
		"/usr/bin/uwsgi-core":       "py-spy dump --pid 7",
		"/usr/lib/jvm/17/bin/java":  "jstack 7",
		"/usr/bin/ruby3.1":          "rbspy snapshot --pid 7",
		"/usr/bin/dotnet":           "dotnet-stack report --process-id 7",
		"/usr/sbin/php-fpm8.2":      "phpspy -p 7",
		"/usr/sbin/nginx":           "gdb -p 7 -batch -ex 'thread apply all bt'",
		"":                          "gdb -p 7 -batch -ex 'thread apply all bt'",
		"/opt/python-tools/bin/app": "gdb -p 7 -batch -ex 'thread apply all bt'",
	} {
		if got := threadDump(&Owner{PID: 7, Exe: exe}); got != want {
			t.Errorf("%q: %q, want %q", exe, got, want)
		}
	}
}
