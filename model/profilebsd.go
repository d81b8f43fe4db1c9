package model

// bsd is what the descendants of 4.4BSD have in common. Functions named in
// comments are in FreeBSD's sys/netinet.
func bsd() Profile {
	return Profile{
		Acceptance: Acceptance{
			RightEdge:     true, // tcp_input.c tcp_do_segment: todrop > 0 only
			SpaceIsWindow: true, // the same: rcv_wnd
			OldAckCounts:  true, // the same: "But keep on processing for RST or ACK"
		},
		Handshake: Handshake{
			SYNRetries:    4,            // tcp_timer.h TCPTV_KEEP_INIT: 75 s in all
			SYNACKRetries: 3,            // tcp_syncache.c SYNCACHE_MAXREXMTS
			BareRST:       true,         // tcp_syncache.c syncache_chkrst
			RepeatedSYN:   SYNACKAlways, // tcp_syncache.c syncache_add, syncache_badack
			SYNAlone:      true,         // tcp_syncache.c keeps neither
			CrossedFIN:    true,         // tcp_input.c tcp_do_segment, tcp_reass.c below ESTABLISHED
			MSS:           1460,         // Ethernet: 1500 less 40 of headers
		},
		Closing: Closing{
			ReadShutDiscards: true, // uipc_socket.c sorflush
			// tcp_usrreq.c tcp_usrclosed: soisdisconnected, and the 2MSL timer
			ShutdownAgainEnds: true,
			ResetWithAck:      true, // tcp_output.c: tcp_outflags of CLOSED
			TimeoutResets:     true, // tcp_timer.c tcp_timer_rexmt: tcp_drop
			KeepaliveResets:   true, // tcp_timer.c tcp_timer_keep: tcp_drop
			AckRepeatsFIN:     true, // tcp_fsm.h tcp_outflags
			HalfOpenClose:     true, // tcp_usrreq.c tcp_disconnect: tcp_close below ESTABLISHED
		},
		FinWait2: FinWait2{
			Starts:  StartOnReadClosed, // tcp_input.c: SBS_CANTRCVMORE
			Lasts:   600 * Second,      // TP_MAXIDLE: 8 probes of 75 s
			Recheck: 75 * Second,       // tcp_timer.c tcp_timer_2msl
			Expiry:  Silent,            // tcp_timer.c tcp_timer_2msl: tcp_close
		},
		TimeWait: TimeWait{
			MSL:      30 * Second, // TCPTV_MSL
			RFC1337:  true,        // tcp_timewait.c tcp_twcheck drops every RST
			NeedsAck: true,        // tcp_timewait.c tcp_twcheck
			Reuse:    true,        // the same: SYN beyond rcv_nxt
		},
		Timing: Timing{
			RTOInitial:       Second,            // TCPTV_RTOBASE
			RTOMin:           30 * Millisecond,  // TCPTV_MIN
			RTOMax:           64 * Second,       // TCPTV_REXMTMAX
			RTOSlop:          200 * Millisecond, // TCPTV_CPU_VAR
			Granularity:      Millisecond,       // hz is 1000
			R1:               3,                 // tcp_timer.c tcp_timer_rexmt: above TCP_MAXRXTSHIFT/4
			R2:               12,                // TCP_MAXRXTSHIFT
			EagerRTO:         true,              // tcp_input.c tcp_xmit_timer: timestamps are on by default
			FINIgnoresWindow: true,              // tcp_output.c: TH_FIN without data goes
			PersistMin:       5 * Second,        // TCPTV_PERSMIN
			PersistMax:       Minute,            // TCPTV_PERSMAX
		},
		Keeping: Keeping{
			KeepIdle:     2 * Hour,    // TCPTV_KEEP_IDLE
			KeepInterval: 75 * Second, // TCPTV_KEEPINTVL
			KeepProbes:   8,           // TCPTV_KEEPCNT
		},
		Sockets: Sockets{
			SendBuffer:       32768,      // net.inet.tcp.sendspace
			ReceiveBuffer:    65536,      // net.inet.tcp.recvspace
			WholeSegments:    true,       // tcp_input.c tcp_mss; tcp_syncache.c syncache_add
			PipeBeforeError:  true,       // uipc_socket.c sosend: SBS_CANTSENDMORE first
			ResetInCloseWait: ECONNRESET, // tcp_input.c: so_error in every state
		},
	}
}

// FreeBSD is FreeBSD 14.
func FreeBSD() Profile {
	p := bsd()
	p.Name = "freebsd"
	p.DropSYNFIN = false // sysctl net.inet.tcp.drop_synfin
	p.AckRange = false   // not checked
	p.KeepDefault = true // sysctl net.inet.tcp.always_keepalive is 1
	return p
}

// XNU is macOS's kernel: FreeBSD's ancestor, but for the FIN-WAIT-2 timer.
func XNU() Profile {
	p := bsd()
	p.Name = "xnu"
	p.FinWait2.Lasts = Minute      // bsd/netinet/tcp_timer.c, tcp_fin_timeout
	p.UnreadResets = true          // bsd/netinet/tcp_usrreq.c, tcp_disconnect
	p.FinWait2.Recheck = 0         // the same file, TCPT_2MSL: not extended
	p.FinWait2.Expiry = SendRSTACK // the same
	return p
}
