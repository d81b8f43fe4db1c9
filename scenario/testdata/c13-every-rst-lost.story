# C13. Mask 1 survives the loss of all its RSTs
#
# A firewall that drops RSTs, say. Local retransmits again and again, and in
# the end its TCP gives up by itself. The connection is gone all the same.
claim C13 Mask 1 with every RST lost: local reaches its retransmission limit and ends the
    connection.
on smoltcp does not hold because it retransmits for ever unless the application sets a timeout

local and remote are connected
remote closes
local reads → 0
expect wire remote→local FIN; local→remote ACK

the link loses every RST from remote
local writes 10 → 10
wait until local CLOSED, at most 30m
expect wire local→remote 10 bytes; remote→local RST lost; local→remote data again; remote→local RST
    again lost
on freebsd, xnu expect wire local→remote 10 bytes; remote→local RST lost; local→remote data again;
    remote→local RST again lost; local→remote RST
    because BSD sends a RST when it gives up (tcp_timer.c, tcp_timer_rexmt)
expect local CLOSED held; remote gone
on smoltcp expect local CLOSE_WAIT held; remote gone because nothing limits it
local takes error → ETIMEDOUT
on smoltcp → ok because there is no error yet
