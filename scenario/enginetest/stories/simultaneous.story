# Both connect, and later both close, before either hears of the other

the link loses the first SYN from local
local connects → EINPROGRESS
expect local SYN_SENT
remote connects
expect local ESTABLISHED; remote ESTABLISHED

the link loses the first FIN from local
local closes
remote closes
expect local CLOSING
on gvisor-netstack expect local gone
    because a bare ACK behind a lost FIN is taken for data after the close, and reset
    (pkg/tcpip/transport/tcp/rcv.go, handleRcvdSegmentClosing)
wait 2s
expect local TIME_WAIT; remote TIME_WAIT
on gvisor-netstack expect local gone; remote gone because it was reset
wait 2m
expect local gone; remote gone
