package rules

import (
	"path"
	"slices"
	"strings"
	"testing"
)

func TestImportsFollowTheTable(t *testing.T) { report(t, badImports(checkout(t))) }

func badImports(files tree) []violation {
	parsed, found := files.goFiles()
	for _, f := range parsed {
		if f.test() {
			continue
		}
		if !placed(f.dir) {
			found = append(found, violation{f.name, 0, "no import rule names " + f.dir + ": say in internal/rules/importtable_test.go what it may import, and why"})
			continue
		}
		for _, spec := range f.ast.Imports {
			target := strings.TrimPrefix(strings.Trim(spec.Path.Value, `"`), module+"/")
			if why := banned(f.dir, target); why != "" {
				found = append(found, violation{f.name, f.line(spec.Pos()), "imports " + target + ": " + why})
			}
		}
	}
	return found
}

// banned returns the reason of the first rule that forbids dir to import
// target, or nothing.
func banned(dir, target string) string {
	if ours(target) && room(dir) == room(target) {
		return ""
	}
	for _, r := range importRules {
		if in(dir, r.in) && !in(dir, r.except) && in(target, r.not) && !in(target, r.but) {
			return r.why
		}
	}
	return ""
}

// placed reports whether some rule binds dir in particular.
func placed(dir string) bool {
	return in(dir, edges) || slices.ContainsFunc(importRules, func(r importRule) bool {
		return r.in != "..." && in(dir, r.in)
	})
}

// in reports whether a folder of this module, or an imported package, matches
// one of the patterns of importRule.
func in(target, patterns string) bool {
	return slices.ContainsFunc(strings.Fields(patterns), func(p string) bool {
		switch p {
		case "...":
			return true
		case "this-module":
			return ours(target)
		case "third-party":
			return !ours(target) && strings.Contains(firstOf(target), ".")
		}
		if base, ok := strings.CutSuffix(p, "/..."); ok {
			return target == base || strings.HasPrefix(target, base+"/")
		}
		return target == p
	})
}

// ours reports whether a path, with the module's own prefix cut, lies in this
// module. Its top folders' names are not those of the standard library.
func ours(target string) bool {
	return slices.Contains([]string{"tcp", "model", "scenario", "closewaittest", "internal", "cmd", "bench", "field", "deploy", "docs"}, firstOf(target))
}

// room is the part of the module a folder belongs to: model,
// internal/diagnose, internal/kernel/sockdiag.
func room(dir string) string {
	parts := strings.Split(dir, "/")
	depth := 1
	switch {
	case strings.HasPrefix(dir, "internal/kernel/"):
		depth = 3
	case parts[0] == "internal" || parts[0] == "cmd" || parts[0] == "bench":
		depth = 2
	}
	return path.Join(parts[:min(depth, len(parts))]...)
}

func firstOf(p string) string {
	first, _, _ := strings.Cut(p, "/")
	return first
}

func TestImportRulesCatchWhatTheyBan(t *testing.T) {
	for _, row := range []struct{ dir, imports, want string }{
		{"tcp", "net/netip", ""},
		{"tcp", "internal/observe", "depend on nothing"},
		{"tcp", "golang.org/x/exp/slices", "depend on nothing"},
		{"model", "tcp", ""},
		{"model", "internal/diagnose", "bend it"},
		{"scenario", "model", "knows none"},
		{"closewaittest", "testing", ""},
		{"closewaittest", "github.com/mdlayher/netlink", "bring nothing along"},
		{"internal/kernel/sockdiag", "golang.org/x/sys/unix", ""},
		{"internal/kernel/sockdiag", "internal/kernel/sockdiag/wire", ""},
		{"internal/kernel/sockdiag", "internal/kernel/procfs", "side by side"},
		{"internal/kernel/sockdiag", "internal/observe", "raw facts"},
		{"internal/kernel/sockdiag", "unsafe", ""},
		{"internal/collect", "internal/kernel/sockdiag", ""},
		{"internal/collect", "internal/diagnose", "no conclusion"},
		{"internal/collect", "unsafe", "check every length"},
		{"internal/agent", "internal/kernel/sensor", "torn read"},
		{"internal/observe", "tcp", ""},
		{"internal/observe", "internal/kernel/procfs", "torn read"},
		{"internal/diagnose", "internal/observe", ""},
		{"internal/diagnose", "net/netip", ""},
		{"internal/diagnose", "net", "pure"},
		{"internal/diagnose", "os", "pure"},
		{"internal/diagnose", "golang.org/x/sys/unix", "pure"},
		{"internal/diagnose", "internal/collect", "nothing else"},
		{"internal/diagnose", "model", "nothing else"},
		{"internal/report", "docs/causes", ""},
		{"internal/report", "charm.land/lipgloss/v2", "tmux from PATH"},
		{"internal/report", "internal/collect", "finds nothing itself"},
		{"internal/remedy", "github.com/mdlayher/netlink", "interface that cmd wires"},
		{"internal/probe", "internal/collect", "black-box"},
		{"internal/history", "internal/report", "does not care"},
		{"internal/agent", "internal/remedy", "only watches"},
		{"internal/fleet", "internal/collect", "no host itself"},
		{"internal/web", "internal/agent", "no host themselves"},
		{"internal/sim", "internal/diagnose", "excuse"},
		{"internal/explore", "internal/sim", ""},
		{"internal/pkt", "internal/diagnose", "the model alone"},
		{"internal/lab", "internal/web", "not the daemon"},
		{"internal/lab/netstack", "scenario", ""},
		{"internal/lab/netstack", "model", "answers for itself"},
		{"internal/lab/netstack", "gvisor.dev/gvisor/pkg/tcpip", ""},
		{"internal/lab/netstack", "os", "no network"},
		{"internal/lab", "gvisor.dev/gvisor/pkg/tcpip", "pays for it"},
		{"internal/lab", "internal/lab/netstack", ""},
		{"internal/e2e", "internal/lab/netstack", "looks at hosts"},
		{"internal/misbehave", "internal/diagnose", "evidence"},
		{"internal/demo", "internal/misbehave", ""},
		{"internal/agent", "internal/lab", "only watches"},
		{"internal/collect", "testing", "testing package"},
		{"internal/container", "internal/privilege", ""},
		{"cmd/closewait", "internal/demo", ""},
		{"cmd/closewait", "internal/lab", ""},
		{"internal/testbed", "github.com/mdlayher/netlink", "knows none of them"},
		{"bench/scan", "internal/testbed", ""},
		{"cmd/closewait", "internal/container", "serve tests only"},
		{"cmd/closewait", "C", "CGO_ENABLED=0"},
		{"bench/scan", "internal/misbehave", ""},
		{"bench/scan", "cmd/closewait", "wiring"},
	} {
		path := row.imports
		if ours(path) {
			path = module + "/" + path
		}
		prove(t, badImports, []broken{{
			name:  row.dir + " imports " + row.imports,
			files: map[string]string{row.dir + "/x_windows.go": "//go:build never\n\npackage x\n\nimport _ \"" + path + "\"\n"},
			want:  row.want,
		}})
	}
}

func TestImportRulesNameEveryRoom(t *testing.T) {
	prove(t, badImports, []broken{
		{"a new room", map[string]string{"internal/novel/novel.go": "package novel\n"}, "no import rule names internal/novel"},
		{"its tests alone", map[string]string{"internal/novel/x_test.go": "package novel\n"}, ""},
		{"does not parse", map[string]string{"tcp/x.go": "pakage tcp\n"}, "expected 'package'"},
	})
	for _, dir := range strings.Fields("tcp model scenario closewaittest docs/causes cmd/closewait bench/scan " +
		"internal/sim internal/explore internal/pkt internal/lab internal/kernel/sockdiag internal/kernel/procfs " +
		"internal/kernel/netns internal/kernel/sensor internal/collect internal/observe internal/diagnose internal/report " +
		"internal/remedy internal/probe internal/history internal/agent internal/fleet internal/web") {
		if !placed(dir) {
			t.Errorf("no import rule names %s, a room of the architecture", dir)
		}
	}
}

func TestEveryImportRuleHasAReason(t *testing.T) {
	for i, r := range importRules {
		if r.in == "" || r.not == "" || len(r.why) < 20 {
			t.Errorf("rule %d (%s must not import %s) says no reason", i, r.in, r.not)
		}
	}
}
