# C10. Mask 2: the remote's FIN_WAIT_2 timer expires, and it sends a RST
#
# Local is silent and has no keepalive. The remote's application is gone, and
# its TCP will not wait in FIN_WAIT_2 for ever, though no RFC allows it not to.
# When it gives up it may say so. Most do not: see the correction.
claim C10 Mask 2: local silent and without keepalive; the remote's TCP has a FIN_WAIT_2 timer; when
    it expires the remote may send a RST.
on linux, freebsd, illumos, windows, gvisor, lwip does not hold
    because there is such a timer, but it expires without a RST
on rfc9293, smoltcp does not hold because there is no such timer
on hpux depends
    because the timer, which does end with a RST, is off unless tcp_fin_wait_2_timeout is set (see
    the story of HP-UX)

local and remote are connected
remote closes
local reads → 0
expect wire remote→local FIN; local→remote ACK
expect local CLOSE_WAIT; remote FIN_WAIT_2 held by nobody

wait until remote gone, at most 15m
expect wire remote→local RST
on linux, freebsd, illumos, windows, gvisor, lwip expect wire nothing
    because the timer is silent (Linux: tcp_timer.c, tcp_minisocks.c; FreeBSD: tcp_timer_2msl;
    illumos: tcp_timer; gVisor: finWait2TimerExpired; lwIP: tcp_slowtmr; Windows: no source to read,
    only what is documented)
on rfc9293, smoltcp, hpux expect wire nothing because nothing expires
expect local CLOSED; remote gone
on linux, freebsd, illumos, windows, gvisor, lwip expect local CLOSE_WAIT; remote gone
    because nobody told local
on rfc9293, smoltcp, hpux expect local CLOSE_WAIT; remote FIN_WAIT_2 because nothing expires
