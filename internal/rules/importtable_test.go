package rules

// importRule bans imports, and says why. All fields but why are lists of
// patterns, separated by spaces:
//
//	internal/collect      one folder of this module, or one package by its path
//	internal/kernel/...   a folder and all below it
//	...                   everything
//	this-module, std, third-party
//
// An import of something in the same room (internal/kernel/sockdiag and what
// lies below it) is never banned. Tests are not bound: rooms meet there.
type importRule struct {
	in     string // whom it binds
	except string // whom, of those, it does not
	not    string // what they must not import
	but    string // what, of that, they may
	why    string
}

// impure are the standard library's doors to the outside.
const impure = "os os/... net net/... syscall io/ioutil log log/... plugin golang.org/x/sys/..."

// edges are the rooms that join others, or only test, and so may import what they like, but
// for the rules that bind everything.
const edges = "cmd/... bench/... field/... deploy/... internal/rules internal/e2e"

// importRules is the whole law. A package that no row names in particular is
// itself a violation: say first where it stands.
var importRules = []importRule{
	// The field's words and what users import.
	{in: "tcp", not: "this-module third-party",
		why: "everything speaks the field's words, so they depend on nothing"},
	{in: "model", not: "this-module third-party", but: "tcp",
		why: "the model follows the specification: a room of the tool could bend it to its own needs"},
	{in: "scenario", not: "this-module third-party", but: "tcp",
		why: "a story runs unchanged on every engine, so it knows none"},
	{in: "scenario/enginetest", not: "this-module third-party", but: "tcp scenario",
		why: "it tests other people's engines too, and must bring nothing along"},
	{in: "closewaittest", not: "this-module third-party", but: "tcp",
		why: "it is imported into other people's tests and must bring nothing along"},
	{in: "docs/...", not: "this-module third-party",
		why: "the pages are embedded text, shown by whoever likes"},

	// Purity.
	{in: "tcp model scenario scenario/enginetest internal/observe internal/diagnose internal/remedy internal/report internal/sim internal/explore internal/pkt",
		not: impure, but: "net/netip net/url",
		why: "this room is pure: it builds and tests on any system, from data alone"},

	// Data flows one way: kernel, collect, observe, diagnose, then the rest.
	{in: "internal/kernel/...", except: "internal/kernel/act", not: "internal/kernel/...", but: "internal/kernel/clock",
		why: "the kernel readers stand side by side: joining what they read is collect's work"},
	{in: "internal/kernel/act", not: "internal/kernel/...", but: "internal/kernel/netns internal/kernel/pidfd internal/kernel/procfs internal/kernel/sockdiag",
		why: "an act stands beside the reads that make it safe, and needs no others"},
	{in: "...", except: "cmd/... bench/...", not: "internal/kernel/act",
		why: "only a command that a person has started changes anything: whoever looks must not be able to"},
	{in: "internal/kernel/...", not: "this-module", but: "internal/kernel/... tcp",
		why: "kernel readers return raw facts and know nothing of what is made of them"},
	{in: "internal/collect", not: "this-module", but: "internal/kernel/... internal/observe tcp",
		why: "collect turns raw facts into observations and draws no conclusion"},
	{in: "...", except: "internal/collect internal/kernel/... internal/lab cmd/... bench/...", not: "internal/kernel/...",
		why: "only collect converts kernel facts (cmd wires, lab and bench measure): elsewhere a torn read would be trusted"},
	{in: "internal/observe", not: "this-module third-party", but: "tcp",
		why: "observations are plain data that travel as JSON to any system"},
	{in: "internal/diagnose", not: "this-module third-party", but: "internal/observe tcp",
		why: "a diagnosis follows from the observations and nothing else"},
	{in: "internal/report", not: "this-module", but: "internal/diagnose internal/observe internal/remedy tcp docs/...",
		why: "a report shows findings and finds nothing itself"},
	{in: "internal/gate", not: "this-module", but: "internal/collect internal/diagnose internal/observe internal/report tcp",
		why: "a gate watches one program's run through collect, and reads no kernel table itself"},
	{in: "internal/remedy", not: "this-module", but: "internal/diagnose internal/observe tcp",
		why: "a remedy plans from findings; what acts is handed in by cmd"},
	{in: "internal/remedy", not: "syscall golang.org/x/sys/... github.com/cilium/... github.com/mdlayher/...",
		why: "a remedy reaches the kernel through an interface that cmd wires, so that a plan can be tested without acting"},
	{in: "internal/probe", not: "this-module", but: "tcp",
		why: "a probe is a black-box test: it knows only what the peer sends"},
	{in: "internal/history", not: "this-module", but: "internal/diagnose internal/observe tcp",
		why: "history keeps findings and does not care who made or shows them"},
	{in: "internal/agent", not: "this-module",
		but: "internal/collect internal/diagnose internal/observe internal/report internal/history internal/web tcp",
		why: "the agent only watches: what acts (remedy, probe) is started by a person"},
	{in: "internal/fleet", not: "this-module", but: "internal/diagnose internal/observe internal/history internal/report tcp",
		why: "the fleet joins agents' reports: it builds anywhere and looks at no host itself"},
	{in: "internal/web", not: "this-module",
		but: "internal/diagnose internal/observe internal/report internal/history internal/fleet docs/... tcp",
		why: "the pages show what was found and look at no host themselves"},

	{in: "internal/watch", not: "this-module", but: "internal/diagnose internal/observe internal/report tcp",
		why: "a watch compares looks: cmd takes them, and hands in what the sensor tells as plain data"},
	{in: "internal/watch", not: impure, but: "net/netip",
		why: "time comes with each look, so that recorded ones tell the same events on any system"},
	{in: "internal/watch/live", not: "this-module", but: "internal/watch internal/diagnose internal/observe internal/report",
		why: "the live view draws what a watch has found"},
	{in: "...", except: "internal/watch/live", not: "charm.land/... github.com/charmbracelet/colorprofile github.com/charmbracelet/ultraviolet",
		why: "these would run tmux from PATH to ask for colours, if asked to: one room sees to it that they are not"},

	// The model's engines, and what exists to be looked at.
	{in: "internal/sim", not: "this-module", but: "model scenario tcp",
		why: "the simulator runs the model; were the diagnosis in it, each could excuse the other's mistakes"},
	{in: "internal/explore", not: "this-module", but: "internal/sim model scenario tcp",
		why: "the search runs the model; were the diagnosis in it, each could excuse the other's mistakes"},
	{in: "internal/pkt", not: "this-module", but: "internal/sim model tcp",
		why: "a packetdrill script judges the model alone, on the simulator's sockets"},
	{in: "internal/lab", not: "this-module", but: "internal/kernel/... internal/lab/netstack model scenario tcp",
		why: "the lab shows what a kernel did, to people and tests, not the daemon or its pages; no diagnosis has a part in it"},
	{in: "internal/lab/netstack", not: "this-module", but: "scenario tcp",
		why: "gVisor's stack answers for itself: were the model in it, each could excuse the other's mistakes"},
	{in: "internal/lab/netstack", not: impure, but: "net/netip",
		why: "two stacks in one process, with a clock of their own, build on any system and touch no network"},
	{in: "...", except: "internal/lab/netstack", not: "gvisor.dev/...",
		why: "gVisor is large: only the engine that is made of it pays for it"},
	{in: "...", except: "internal/lab cmd/... bench/...", not: "internal/lab/netstack",
		why: "a stack to play stories on is no part of what looks at hosts"},
	{in: "internal/lab/agree", not: "this-module", but: "internal/lab internal/sim model scenario tcp",
		why: "here the model and the kernel are held against each other, and nothing else has a say in it"},
	{in: "internal/capture", not: "this-module", but: "tcp",
		why: "a capture is read as it is, whoever took it, and whatever is made of it"},
	{in: "internal/misbehave", not: "this-module", but: "tcp",
		why: "programs that misbehave are evidence: the tool that judges them has no part in them"},
	{in: "internal/demo", not: "this-module",
		but: "internal/misbehave internal/collect internal/diagnose internal/observe internal/report tcp",
		why: "the demo is a scan of programs that misbehave, and no more"},
	{in: "...", except: "internal/explore internal/pkt internal/lab/agree internal/demo cmd/... bench/...",
		not: "internal/sim internal/explore internal/lab internal/misbehave internal/demo",
		why: "what imitates or provokes trouble stays out of the rooms that users rely on"},

	// Test support.
	{in: "internal/privilege", not: "this-module third-party",
		why: "every test may ask it, so it depends on nothing"},
	{in: "internal/figure", not: "this-module third-party",
		why: "a benchmark measures what it likes, and this only says how that is written down"},
	{in: "internal/container", not: "this-module third-party", but: "internal/privilege",
		why: "a container for tests is real: the tool has no part in what it looks at"},
	{in: "internal/testbed", not: "this-module third-party", but: "internal/privilege golang.org/x/sys/...",
		why: "readers of the kernel are tested on it, so it knows none of them"},
	{in: "...", except: "internal/container internal/testbed internal/lab bench/...", not: "internal/privilege internal/container internal/testbed",
		why: "these serve tests only"},
	{in: "...", except: "closewaittest scenario/enginetest internal/privilege internal/container internal/testbed internal/lab bench/...", not: "testing testing/...",
		why: "a command has no business with the testing package"},

	// Everything.
	{in: "...", except: "cmd/...", not: "cmd/... bench/... field/... deploy/...",
		why: "these are wiring: what another package needs belongs in a room of its own"},
	{in: "...", not: "C",
		why: "closewait is built with CGO_ENABLED=0 for every target"},
	{in: "...", except: "internal/kernel/... closewaittest", not: "unsafe",
		why: "only kernel readers (and closewaittest, which asks its own descriptors) hand memory to the kernel, and they check every length"},
}
