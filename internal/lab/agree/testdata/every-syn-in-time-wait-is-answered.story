# A SYN that could take TIME_WAIT's place is answered each time, if nobody listens
remote listens
local connects
remote accepts
remote stops listening
remote closes
local closes
the link loses the first RST
local connects → EINPROGRESS
wait 900ms
expect local SYN_SENT held with send-q 1; remote gone
