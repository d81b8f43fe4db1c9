# close() with unread data resets in TIME_WAIT too
local and remote are connected
remote writes 5
local shuts down writing
remote closes
expect local TIME_WAIT held; remote gone
local closes
expect wire … local→remote ACK
on gvisor-netstack expect wire … local→remote RST
    because TIME_WAIT counts as connected there (endpoint.go:91, 2653 shutdownLocked)
expect local TIME_WAIT held by nobody
on gvisor-netstack expect local gone because of that RST
