package procfs

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// Sysctls are the TCP settings of a network namespace, in the kernel's units.
// 0 where the kernel is older than the setting, and where it says 0.
type Sysctls struct {
	FinTimeout      uint64 // tcp_fin_timeout, seconds
	KeepaliveTime   uint64 // tcp_keepalive_time, seconds
	KeepaliveIntvl  uint64 // tcp_keepalive_intvl, seconds
	KeepaliveProbes uint64 // tcp_keepalive_probes
	Retries2        uint64 // tcp_retries2
	OrphanRetries   uint64 // tcp_orphan_retries; 0 means 8
	RTOMinUS        uint64 // tcp_rto_min_us, microseconds; since Linux 6.11
	RTOMaxMS        uint64 // tcp_rto_max_ms, milliseconds; since Linux 6.15
	MaxTWBuckets    uint64 // tcp_max_tw_buckets
	// LocalPorts is ip_local_port_range, first and last.
	LocalPorts [2]uint16
}

// sysctlSize bounds a setting's file: a number, or two.
const sysctlSize = 64

// Sysctls reads the settings of the calling thread's network namespace,
// whatever the FS's root: the kernel goes by who asks. IPv6 uses them too.
func (f FS) Sysctls() (Sysctls, error) {
	const dir = "sys/net/ipv4"
	var s Sysctls
	ipv4, err := f.open(dir)
	if err != nil {
		return s, &Error{File: dir, Err: err}
	}
	defer ipv4.close()
	for _, setting := range []struct {
		name string
		into *uint64
	}{
		{"tcp_fin_timeout", &s.FinTimeout},
		{"tcp_keepalive_time", &s.KeepaliveTime},
		{"tcp_keepalive_intvl", &s.KeepaliveIntvl},
		{"tcp_keepalive_probes", &s.KeepaliveProbes},
		{"tcp_retries2", &s.Retries2},
		{"tcp_orphan_retries", &s.OrphanRetries},
		{"tcp_rto_min_us", &s.RTOMinUS},
		{"tcp_rto_max_ms", &s.RTOMaxMS},
		{"tcp_max_tw_buckets", &s.MaxTWBuckets},
	} {
		*setting.into, err = ipv4.setting(setting.name)
		if err != nil {
			return s, &Error{File: dir + "/" + setting.name, Err: err}
		}
	}
	const ports = "ip_local_port_range"
	var buf [sysctlSize]byte
	text, err := ipv4.read(ports, buf[:])
	if err == nil {
		s.LocalPorts, err = parsePortRange(text)
	}
	if err != nil && err != unix.ENOENT {
		return s, &Error{File: dir + "/" + ports, Err: err}
	}
	return s, nil
}

// setting reads one number; 0 when there is no such setting.
func (d folder) setting(name string) (uint64, error) {
	var buf [sysctlSize]byte
	text, err := d.read(name, buf[:])
	if err == unix.ENOENT {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return parseSetting(text)
}

// parseSetting reads a file that holds one number. A negative one, which the
// kernel takes for some settings but none of these means, reads as 0.
func parseSetting(text []byte) (uint64, error) {
	word, rest := nextWord(text)
	if extra, _ := nextWord(rest); len(extra) > 0 {
		return 0, ErrMalformed
	}
	if digits, negative := bytes.CutPrefix(word, []byte("-")); negative {
		if _, ok := number(digits); ok {
			return 0, nil
		}
	}
	v, ok := number(word)
	if !ok {
		return 0, ErrMalformed
	}
	return v, nil
}

// parsePortRange reads "32768\t60999".
func parsePortRange(text []byte) ([2]uint16, error) {
	var ports [2]uint16
	for i := range ports {
		var word []byte
		word, text = nextWord(text)
		v, ok := number(word)
		if !ok || v > 1<<16-1 {
			return [2]uint16{}, ErrMalformed
		}
		ports[i] = uint16(v)
	}
	if extra, _ := nextWord(text); len(extra) > 0 {
		return [2]uint16{}, ErrMalformed
	}
	return ports, nil
}

// Multipath reports whether the calling thread's network namespace makes MPTCP
// sockets.
func (f FS) Multipath() bool {
	mptcp, err := f.open("sys/net/mptcp")
	if err != nil { // a kernel without it
		return false
	}
	defer mptcp.close()
	enabled, err := mptcp.setting("enabled")
	return err == nil && enabled != 0
}
