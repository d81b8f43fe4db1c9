# C12. Mask 1 survives the loss of its RST
#
# Local has sent data and got nothing for it, neither RST nor ACK. So its TCP
# sends the data again, and what draws a RST once draws one twice.
claim C12 Mask 1 with the RST lost: local retransmits (it got no ACK either) and a retransmission
    draws a new RST.

local and remote are connected
remote closes
local reads → 0
expect wire remote→local FIN; local→remote ACK

the link loses the first RST from remote
local writes 10 → 10
expect wire local→remote 10 bytes; remote→local RST lost
expect local CLOSE_WAIT with send-q 10 and timer retransmission; remote gone

wait until local CLOSED, at most 10s
expect wire local→remote data again; remote→local RST again
expect local CLOSED held; remote gone
