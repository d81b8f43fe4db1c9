# C10. Mask 2 on HP-UX, with tcp_fin_wait_2_timeout set
#
# HP-UX ships with the timer off. An administrator who sets it gets exactly
# what the claim says.
profile hpux
claim C10 Mask 2: local silent and without keepalive; the remote's TCP has a FIN_WAIT_2 timer; when
    it expires the remote may send a RST.
on hpux depends because tcp_fin_wait_2_timeout, by default off, has to be set

remote tunes fin-wait-2 10m
local and remote are connected
remote closes
local reads → 0
expect wire remote→local FIN; local→remote ACK

wait until remote gone, at most 15m
expect wire remote→local RST
expect local CLOSED held; remote gone
