# connect() between addresses that have a connection is EADDRNOTAVAIL
local and remote are connected
remote closes
the link loses every FIN
local closes
expect local LAST_ACK held by nobody with recv-q 1 and send-q 1
local connects → EADDRNOTAVAIL
