# C9, corrected. While the remote is in FIN_WAIT_2, a probe is ACKed
#
# A keepalive probe carries an old sequence number and no data: to a TCP in
# FIN_WAIT_2 it is a duplicate, to be answered with an ACK, whether or not an
# application is above. Data in its place would have drawn the RST at once.
corrects C9 While the remote is still in FIN_WAIT_2 a keepalive probe is ACKed, not reset. The probe
    draws a RST only once the remote's FIN_WAIT_2 has expired.

local and remote are connected
local sets keepalive on idle 15s every 30s probes 9
remote closes
wait 18s
expect wire remote→local FIN; local→remote ACK, probe; remote→local ACK
expect local CLOSE_WAIT held with timer keepalive; remote FIN_WAIT_2 held by nobody

wait until local CLOSED, at most 20m
expect local CLOSED held; remote gone
on rfc9293, hpux, smoltcp expect local CLOSE_WAIT held; remote FIN_WAIT_2 held by nobody
    because FIN_WAIT_2 has no timer (RFC 9293; HP-UX ships with it off)
on freebsd expect local CLOSE_WAIT held; remote FIN_WAIT_2 held by nobody
    because the timer is extended for as long as the peer is heard (FreeBSD, tcp_timer_2msl)
