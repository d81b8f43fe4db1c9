# close() with SO_LINGER 0 goes on as if without, once the FIN of both was sent
local and remote are connected
remote closes
the link loses every FIN from local
local shuts down writing
local aborts
expect local gone
on gvisor-netstack expect local LAST_ACK held by nobody
    because LAST_ACK, CLOSING and TIME_WAIT are not among the states that it resets
    (endpoint.go:1105 closeLocked); Linux ends the connection (tcp_disconnect)
