package pkt

import (
	"strconv"
	"strings"

	"github.com/closewait/closewait/model"
)

// knob is a sysctl as far as the model has it.
type knob struct {
	name string
	// unit is what one of the value is worth, where it is a time.
	unit model.Time
	set  func(p *model.Profile, n int64, t model.Time)
}

// knobs are the sysctls that turn one of the model's knobs.
func knobs() []knob {
	const ms, sec = model.Millisecond, model.Second
	count := func(n int64) uint8 { return uint8(min(max(n, 0), 255)) }
	octets := func(n int64) uint32 { return uint32(min(max(n, 0), 1<<30)) }
	return []knob{
		// FreeBSD, sys/netinet.
		{"net.inet.tcp.insecure_rst", 0, func(p *model.Profile, n int64, _ model.Time) { p.InsecureRST = n != 0 }},
		{"net.inet.tcp.insecure_syn", 0, func(p *model.Profile, n int64, _ model.Time) { p.InsecureSYN = n != 0 }},
		{"net.inet.tcp.drop_synfin", 0, func(p *model.Profile, n int64, _ model.Time) { p.DropSYNFIN = n != 0 }},
		{"net.inet.tcp.msl", ms, func(p *model.Profile, _ int64, t model.Time) { p.TimeWait.MSL = t }},
		{"net.inet.tcp.finwait2_timeout", ms, func(p *model.Profile, _ int64, t model.Time) { p.FinWait2.Lasts = t }},
		{"net.inet.tcp.rexmit_initial", ms, func(p *model.Profile, _ int64, t model.Time) { p.RTOInitial = t }},
		{"net.inet.tcp.rexmit_min", ms, func(p *model.Profile, _ int64, t model.Time) { p.RTOMin = t }},
		{"net.inet.tcp.persmin", ms, func(p *model.Profile, _ int64, t model.Time) { p.PersistMin = t }},
		{"net.inet.tcp.persmax", ms, func(p *model.Profile, _ int64, t model.Time) { p.PersistMax = t }},
		{"net.inet.tcp.keepidle", ms, func(p *model.Profile, _ int64, t model.Time) { p.KeepIdle = t }},
		{"net.inet.tcp.keepintvl", ms, func(p *model.Profile, _ int64, t model.Time) { p.KeepInterval = t }},
		{"net.inet.tcp.keepcnt", 0, func(p *model.Profile, n int64, _ model.Time) { p.KeepProbes = count(n) }},
		{"net.inet.tcp.always_keepalive", 0, func(p *model.Profile, n int64, _ model.Time) { p.KeepDefault = n != 0 }},
		{"net.inet.tcp.delacktime", ms, func(p *model.Profile, _ int64, t model.Time) {
			if p.DelayedAck > 0 {
				p.DelayedAck = t
			}
		}},
		{"net.inet.tcp.recvspace", 0, func(p *model.Profile, n int64, _ model.Time) { p.ReceiveBuffer = octets(n) }},
		{"net.inet.tcp.sendspace", 0, func(p *model.Profile, n int64, _ model.Time) { p.SendBuffer = octets(n) }},
		// Linux, Documentation/networking/ip-sysctl.rst.
		{"net.ipv4.tcp_fin_timeout", sec, func(p *model.Profile, _ int64, t model.Time) { p.FinWait2.Lasts = t }},
		{"net.ipv4.tcp_retries1", 0, func(p *model.Profile, n int64, _ model.Time) { p.R1 = count(n) }},
		{"net.ipv4.tcp_retries2", 0, func(p *model.Profile, n int64, _ model.Time) { p.R2 = count(n) }},
		{"net.ipv4.tcp_orphan_retries", 0, func(p *model.Profile, n int64, _ model.Time) {
			if n == 0 {
				n = 8 // net/ipv4/tcp_timer.c, tcp_orphan_retries
			}
			p.OrphanR2 = count(n)
		}},
		{"net.ipv4.tcp_syn_retries", 0, func(p *model.Profile, n int64, _ model.Time) { p.SYNRetries = count(n) }},
		{"net.ipv4.tcp_synack_retries", 0, func(p *model.Profile, n int64, _ model.Time) { p.SYNACKRetries = count(n) }},
		{"net.ipv4.tcp_keepalive_time", sec, func(p *model.Profile, _ int64, t model.Time) { p.KeepIdle = t }},
		{"net.ipv4.tcp_keepalive_intvl", sec, func(p *model.Profile, _ int64, t model.Time) { p.KeepInterval = t }},
		{"net.ipv4.tcp_keepalive_probes", 0, func(p *model.Profile, n int64, _ model.Time) { p.KeepProbes = count(n) }},
		{"net.ipv4.tcp_rfc1337", 0, func(p *model.Profile, n int64, _ model.Time) { p.TimeWait.RFC1337 = n != 0 }},
		{"net.ipv4.tcp_invalid_ratelimit", ms, func(p *model.Profile, _ int64, t model.Time) { p.ChallengeEvery = t }},
		{"net.ipv4.tcp_rto_min_us", model.Millisecond / 1000, func(p *model.Profile, _ int64, t model.Time) { p.RTOMin = t }},
		{"net.ipv4.tcp_rto_max_ms", ms, func(p *model.Profile, _ int64, t model.Time) { p.RTOMax = t }},
	}
}

// harmless are sysctls that change nothing which the model has or a script's
// comparison sees, at any value.
const harmless = " net.inet.tcp.hostcache.purgenow kern.ipc.maxsockbuf kern.timecounter.alloweddeviation net.inet.tcp.sack.enable " +
	"net.ipv4.tcp_sack net.ipv4.tcp_dsack net.ipv4.tcp_fack net.ipv4.tcp_early_retrans net.inet.tcp.log_debug net.inet.tcp.log_in_vain "

// isDefaults lists settings that are what the model does anyway.
const isDefaults = " net.inet.tcp.ecn.enable=2 net.inet.tcp.ecn.enable=0 net.inet.tcp.blackhole=0 net.inet.tcp.rexmit_drop_options=0 " +
	"net.inet.tcp.rfc1323=1 net.inet.tcp.fastopen.client_enable=0 net.inet.tcp.fastopen.server_enable=0 net.inet.tcp.syncookies_only=0 " +
	"net.ipv4.tcp_timestamps=1 net.ipv4.tcp_ecn=0 net.ipv4.tcp_ecn=2 net.ipv4.tcp_window_scaling=1 net.ipv4.tcp_abort_on_overflow=0 "

// sysctl turns the knob of one "name=value". What the model does not have is
// listed, and not fatal: most of it has nothing to do with how a connection
// ends, and what does shows as a difference.
func (r *runner) sysctl(name, value string) {
	name = strings.ReplaceAll(strings.TrimPrefix(name, "/proc/sys/"), "/", ".")
	value = strings.Trim(strings.TrimSpace(value), `"'`)
	r.pathSetting(name, value)
	for _, k := range knobs() {
		if k.name != name {
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < -1 || n > 1<<40 {
			r.unsupported("the value %q of %s", clip(value, 40), name)
			return
		}
		n = min(n, 1<<32)
		k.set(&r.host.Profile, n, model.Time(n)*k.unit)
		return
	}
	if !strings.Contains(harmless, " "+name+" ") && !strings.Contains(isDefaults, " "+name+"="+value+" ") {
		r.result.ignore("sysctl " + name)
	}
}

// pathSetting follows the settings of options that the model has not: timestamps,
// which leave 12 octets less for data, and tail probes, which need SACK.
func (r *runner) pathSetting(name, value string) {
	switch name {
	case "net.inet.tcp.rfc1323", "net.ipv4.tcp_timestamps":
		r.offersTimestamps = value != "0"
	case "net.ipv4.tcp_early_retrans":
		r.noTailProbe = value != "3" && value != "4"
	}
}
