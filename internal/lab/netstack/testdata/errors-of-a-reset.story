# After a RST in CLOSE_WAIT a write does not take the error, and in LAST_ACK a read does
local and remote are connected
remote closes
local writes 5 → 5
local writes 5 → EPIPE
local takes error → ok
on gvisor-netstack → EPIPE
    because the state is CLOSED and not ERROR, where a write is refused before it asks for an error
    (connect.go:1259 handleReset, endpoint.go:1577 isEndpointWritableLocked)
local exits
remote exits

local and remote are connected
remote closes
wait 2m
local shuts down writing
expect wire … local→remote FIN; remote→local RST
local reads → 0
on gvisor-netstack → ECONNRESET
    because the state is ERROR, which a read tells before the end of the stream (connect.go:1262
    handleReset, endpoint.go:1543 checkReadLocked)
