package model

// Illumos is illumos's TCP (usr/src/uts/common/inet/tcp). What is not named
// follows RFC 9293.
func Illumos() Profile {
	p := RFC9293()
	p.Name = "illumos"
	p.FinWait2 = FinWait2{
		Starts: StartOnClose, // tcp_fin_wait_2_timer starts once detached
		Lasts:  675 * Second, // tcp_fin_wait_2_flush_interval
		Expiry: Silent,       // the same: nothing is sent
	}
	p.TimeWait.MSL = 30 * Second // tcp_time_wait_interval is 60 s
	p.ResetWithAck = true        // not checked
	return p
}

// HPUX is HP-UX 11i with its FIN-WAIT-2 timer as shipped: off. Set
// FinWait2.Lasts to the value of tcp_fin_wait_2_timeout to turn it on.
func HPUX() Profile {
	p := RFC9293()
	p.Name = "hpux"
	p.FinWait2 = FinWait2{
		Starts: StartAlways, // tcp_fin_wait_2_timeout; not checked for a half-close
		Lasts:  0,           // tcp_fin_wait_2_timeout, by default off
		Expiry: SendRST,     // the same: it ends with a RST
	}
	p.TimeWait.MSL = 30 * Second // tcp_time_wait_interval is 60 s
	return p
}
