# What is unread or not acknowledged, with the FIN as one octet

the link loses the first SYN
local connects → EINPROGRESS
expect local SYN_SENT with send-q 1
local exits

local and remote are connected
the link loses everything from local
local writes 10
expect local ESTABLISHED with send-q 10
local shuts down writing
expect local FIN_WAIT_1 with send-q 11
the link recovers
wait 2s
expect local FIN_WAIT_2 with send-q 0; remote CLOSE_WAIT with recv-q 11 and send-q 0
remote reads 4
expect remote CLOSE_WAIT with recv-q 7
remote reads → 6
expect remote CLOSE_WAIT with recv-q 0  # the last octet is taken with the FIN
on gvisor-netstack expect remote CLOSE_WAIT with recv-q 1
    because the FIN waits there for a read of its own
remote reads → 0
expect remote CLOSE_WAIT with recv-q 0
the link loses everything from local
remote writes 3
expect remote with send-q 3
remote closes
expect remote LAST_ACK with recv-q 0 and send-q 4
