package model

// Windows is Windows Server 2003. What is not named follows RFC 9293.
func Windows() Profile {
	p := RFC9293()
	p.Name = "windows"
	p.FinWait2 = FinWait2{
		Starts: StartAlways,  // also after shutdown(SD_SEND) alone
		Lasts:  300 * Second, // 120 s on other Windows
		Expiry: Silent,       // a local reset: the application sees it, the peer does not
	}
	p.ResetWithAck = true // not checked
	return p
}

// GVisor is gVisor's netstack (pkg/tcpip/transport/tcp). What is not named
// follows RFC 9293.
func GVisor() Profile {
	p := RFC9293()
	p.Name = "gvisor"
	p.FinWait2 = FinWait2{
		Starts: StartOnClose, // endpoint.go Close
		Lasts:  Minute,       // DefaultTCPLingerTimeout
		Expiry: Silent,       // nothing is sent
	}
	p.TimeWait.MSL = 30 * Second // DefaultTCPTimeWaitTimeout is 60 s
	p.ResetWithAck = true        // connect.go resetConnectionLocked
	p.RTOMin = 200 * Millisecond // snd.go MinRTO
	p.RTOMax = 120 * Second      // snd.go MaxRTO
	p.R2 = 15                    // snd.go MaxRetries
	p.ResetInCloseWait = EPIPE   // connect.go handleReset: ErrAborted, as Linux
	return p
}

// LwIP is lwIP's (src/core/tcp.c).
func LwIP() Profile {
	p := RFC9293()
	p.Name = "lwip"
	p.FinWait2 = FinWait2{
		Starts: StartOnReadClosed, // TF_RXCLOSED
		Lasts:  20 * Second,       // TCP_FIN_WAIT_TIMEOUT
		Expiry: Silent,            // tcp_slowtmr: the pcb is removed
	}
	p.TimeWait.MSL = Minute // TCP_MSL
	p.ResetWithAck = true   // src/core/tcp_out.c tcp_rst
	p.R2 = 12               // TCP_MAXRTX
	p.SYNRetries = 6        // TCP_SYNMAXRTX
	return p
}

// Smoltcp is smoltcp (src/socket/tcp.rs).
func Smoltcp() Profile {
	p := RFC9293()
	p.Name = "smoltcp"
	p.FinWait2 = FinWait2{Starts: StartNever} // no such timer there
	p.TimeWait.MSL = 5 * Second               // CLOSE_DELAY is 10 s
	p.ResetWithAck = true                     // dispatch: every segment after the SYN has an ACK number
	p.R2 = 0                                  // retransmits until its own timeout, by default none
	return p
}
