# C14. Mask 2 has one RST only, and it is lost
#
# Local has sent nothing, so it has nothing to send again. The remote has
# forgotten the connection. Nobody is left to end it: local is in CLOSE_WAIT for
# ever, until its application, or the host's end.
claim C14 Mask 2 with its one RST lost: nothing is left to end the connection; CLOSE_WAIT may last
    forever.
on linux, illumos, windows, gvisor, lwip holds
    because no RST is sent at all: not even a loss is needed
on rfc9293, smoltcp, hpux holds
    because no RST is sent at all; the remote stays in FIN_WAIT_2 as long
on freebsd does not hold
    because keepalive is on by default (net.inet.tcp.always_keepalive): a probe draws a RST after 2
    hours

local and remote are connected
remote closes
local reads → 0
expect wire remote→local FIN; local→remote ACK

the link loses the first RST from remote
wait until remote gone, at most 15m
expect wire remote→local RST lost
on linux, freebsd, illumos, windows, gvisor, lwip expect wire nothing because the timer is silent
on rfc9293, smoltcp, hpux expect wire nothing because there is no timer
expect local CLOSE_WAIT held forever
on freebsd expect local CLOSE_WAIT held with timer keepalive because always_keepalive is 1

wait 24h
expect local CLOSE_WAIT held
on freebsd expect local CLOSED held because a probe drew a RST
