# An unread FIN counts in Recv-Q also where nobody is left to read it, a SYN|ACK nowhere
local and remote are connected
remote closes
the link loses every FIN
local closes
expect local LAST_ACK held by nobody with recv-q 1 and send-q 1
local exits
remote exits
the link recovers
wait 2m

remote listens
the link loses every SYN|ACK
local connects → EINPROGRESS
expect local SYN_SENT with send-q 1; remote SYN_RECEIVED with send-q 0 and timer retransmission
