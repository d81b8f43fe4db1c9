# C9. Mask 1 without data: local has SO_KEEPALIVE set
#
# Local is silent, but its TCP probes the remote now and then. A probe that
# finds nobody draws a RST just as data does.
claim C9 Mask 1 also works through SO_KEEPALIVE set by local: a probe takes the place of the data.
on linux, illumos, windows, gvisor, lwip depends
    because the probe is ACKed while the remote is still in FIN_WAIT_2, and draws its RST only when
    that has expired (see the corrections)
on freebsd depends
    because probes that are answered keep the remote in FIN_WAIT_2: only where the first comes later
    than its 600 s timer does it draw a RST
on rfc9293, hpux, smoltcp does not hold
    because FIN_WAIT_2 has no timer there, so the remote answers every probe with an ACK for ever
on xnu depends because the remote's own RST, when FIN_WAIT_2 expires, usually comes first (C10)

local and remote are connected
local sets keepalive on idle 15m every 1m15s probes 9
remote closes
local reads → 0
expect wire remote→local FIN; local→remote ACK

wait until local CLOSED, at most 20m
expect wire local→remote probe; remote→local RST
on xnu expect wire remote→local RST|ACK
    because its FIN_WAIT_2 ends with a RST after 60 s (XNU, bsd/netinet/tcp_timer.c)
on rfc9293, hpux, smoltcp expect wire local→remote probe; remote→local ACK
    because the remote is in FIN_WAIT_2 for ever (RFC 9293 defines no timer; HP-UX ships with it
    off)
expect local CLOSED held; remote gone
on rfc9293, hpux, smoltcp expect local CLOSE_WAIT held; remote FIN_WAIT_2 held by nobody
    because an ACK ends nothing
