# shutdown(SHUT_RDWR) with unread data resets the connection, as close() does
local and remote are connected
remote writes 5
local shuts down both
expect wire remote→local 5 bytes; local→remote FIN; remote→local ACK
on gvisor-netstack expect wire remote→local 5 bytes; local→remote RST
    because shutdown, too, is a close with unread data (endpoint.go:2653 shutdownLocked); Linux asks
    that in close() alone (tcp_close)
expect local FIN_WAIT_2 held; remote CLOSE_WAIT
on gvisor-netstack expect local CLOSED held; remote CLOSED held because of that RST
local reads → 5
on gvisor-netstack → 5 because what was received stays readable (connect.go:1133)
