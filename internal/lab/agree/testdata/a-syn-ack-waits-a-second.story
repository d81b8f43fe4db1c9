# A SYN|ACK comes again after a second, as a SYN does (found in the lab, which had it after 200 ms)
remote listens
the link loses every ACK from local
local connects → ok
wait 900ms
expect local ESTABLISHED; remote SYN_RECEIVED
expect wire local→remote SYN; remote→local SYN|ACK
