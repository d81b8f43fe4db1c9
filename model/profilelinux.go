package model

// Linux is Linux 6.x. Functions named in comments are in net/ipv4; what
// kernel 6.18 was seen to do is marked "seen".
func Linux() Profile {
	return Profile{
		Name: "linux",
		Acceptance: Acceptance{
			ResetBeforeFIN: true,              // tcp_input.c tcp_reset_check; seen
			ResetAfterSack: true,              // tcp_input.c tcp_validate_incoming: max_sack; seen
			RightEdge:      true,              // tcp_input.c tcp_sequence: after(seq, rcv_nxt+window) only
			LeftEdge:       true,              // tcp_input.c tcp_sequence: before(end_seq, rcv_wup); seen
			ResetAtEdges:   true,              // tcp_input.c tcp_validate_incoming: tcp_sequence comes first; seen
			AckFirst:       true,              // tcp_input.c tcp_rcv_established, tcp_rcv_state_process; seen
			AckRange:       true,              // tcp_input.c tcp_ack: before(ack, prior_snd_una - max_window)
			AckFromISS:     true,              // tcp_input.c tcp_ack: min(max_window, bytes_acked); seen
			ChallengeEvery: 500 * Millisecond, // tcp_invalid_ratelimit, tcp_oow_rate_limited; seen
		},
		Handshake: Handshake{
			SYNRetries:    6, // tcp_syn_retries
			SYNACKRetries: 5, // tcp_synack_retries
			SYNLinear:     4, // tcp_syn_linear_timeouts, since 6.5
			// tcp_input.c tcp_rcv_synsent_state_process, tcp_reset_xmit_timer: after
			// TCP_TIMEOUT_MIN, which is two jiffies; seen
			BadAckRepeatsSYN: true,
			RepeatedSYN:      SYNACKIfSame, // tcp_minisocks.c tcp_check_req
			SYNAlone:         true,         // without TCP Fast Open
			AnswerAlone:      true,         // tcp_input.c tcp_rcv_synsent_state_process: discard
			// tcp_input.c tcp_rcv_state_process, LISTEN
			ListenDropsSYNFIN: true,
			MSS:               1460, // Ethernet: 1500 less 40 of headers
		},
		Closing: Closing{
			UnreadResets:   true, // tcp.c __tcp_close, TCPABORTONCLOSE; seen
			ShutdownResets: true, // tcp_input.c tcp_rcv_state_process, TCPABORTONDATA; seen
			// tcp_input.c tcp_rcv_state_process, tcp_minisocks.c
			// tcp_timewait_state_process: after(end_seq - fin, rcv_nxt); seen
			EarlyFINResets: true,
			// af_inet.c inet_shutdown, tcp.c tcp_disconnect; seen
			ShutdownDisconnects: true,
			ShutdownWaits:       true, // tcp.c tcp_shutdown: not in SYN_RECV; tcp_input.c tcp_rcv_state_process; seen
			ShutdownSticks:      true, // af_inet.c inet_shutdown: sk_shutdown is set all the same; seen
			ResetWithAck:        true, // tcp_output.c tcp_send_active_reset
			KeepaliveResets:     true, // tcp_timer.c tcp_keepalive_timer
		},
		FinWait2: FinWait2{
			Starts:    StartOnClose, // shutdown(SHUT_WR) alone starts no timer; seen
			Lasts:     Minute,       // tcp_fin_timeout
			Mini:      Minute,       // TCP_TIMEWAIT_LEN; fin_timeout 90 lasts 60 s, seen
			MinRTOs10: 35,           // tcp_fin_time: rto<<2 - rto>>1
			Expiry:    Silent,       // inet_timewait_sock.c tw_timer_handler: freed, no more; seen
		},
		TimeWait: TimeWait{
			MSL:         30 * Second, // TCP_TIMEWAIT_LEN is 60 s
			Reuse:       true,        // tcp_minisocks.c tcp_timewait_state_process
			NoChallenge: true,        // the same: every other RST is dropped
			AckRestarts: true,        // the same: inet_twsk_reschedule
			Outlives:    true,        // tcp_minisocks.c tcp_time_wait: tcp_done(sk); seen
			// inet_hashtables.c __inet_check_established, tcp_ipv4.c tcp_twsk_unique; seen
			ConnectReplaces: true,
		},
		Timing: Timing{
			RTOInitial:   Second,            // tcp.h TCP_TIMEOUT_INIT
			RTOMin:       200 * Millisecond, // tcp.h TCP_RTO_MIN
			RTOMinVaries: true,              // tcp_input.c tcp_rtt_estimator
			RTOMax:       120 * Second,      // tcp.h TCP_RTO_MAX
			// tcp_input.c __tcp_set_rto: tcp_rto_min bounds the variance, and a timer
			// is late by up to a jiffy: ss shows rto:204 at HZ=250.
			Granularity:      204 * Millisecond,
			R1:               3,                 // tcp_retries1
			R2:               15,                // tcp_retries2: 924.6 s
			R2Base:           200 * Millisecond, // tcp_timer.c retransmits_timed_out: TCP_RTO_MIN
			OrphanR2:         8,                 // tcp_orphan_retries 0 means 8: 102.2 s
			OrphanProbeLimit: true,              // tcp_timer.c tcp_probe_timer
			EagerRTO:         true,              // tcp_input.c tcp_ack_update_rtt: timestamps are on by default
			TailProbe:        true,              // tcp_output.c tcp_schedule_loss_probe; seen
			Sack:             true,              // tcp_sack; tcp_recovery.c tcp_rack_mark_lost; seen
			LossWindow:       true,              // tcp_input.c tcp_enter_loss; seen
			PersistMin:       200 * Millisecond, // tcp.h tcp_probe0_base: TCP_RTO_MIN
			PersistMax:       120 * Second,      // tcp.h tcp_probe0_when: TCP_RTO_MAX
			OldProbe:         true,              // tcp_output.c tcp_xmit_probe_skb
			// tcp_timer.c tcp_retransmit_timer: from retrans_stamp
			UserTimeoutByRetry: true,
		},
		Keeping: Keeping{
			KeepIdle:     2 * Hour,    // tcp_keepalive_time
			KeepInterval: 75 * Second, // tcp_keepalive_intvl
			KeepProbes:   9,           // tcp_keepalive_probes
		},
		Sockets: Sockets{
			SendBuffer:       87040,         // tcp_wmem[1], rounded to what it holds
			ReceiveBuffer:    65535,         // about what tcp_rmem[1] offers at first
			ResetInCloseWait: EPIPE,         // tcp_input.c tcp_reset; seen
			UnconnectedWrite: EPIPE,         // tcp.c tcp_sendmsg_locked
			OpeningWrite:     EAGAIN,        // stream.c sk_stream_wait_connect; seen
			ConnectOnce:      true,          // af_inet.c __inet_stream_connect; seen
			AddressTaken:     EADDRNOTAVAIL, // inet_hashtables.c __inet_check_established; seen
			AcceptsDead:      true,          // inet_connection_sock.c inet_csk_accept
			EOFBeforeError:   true,          // tcp.c tcp_recvmsg_locked: SOCK_DONE first; seen
		},
	}
}
