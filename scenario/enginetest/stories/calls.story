# Each word of the language, once

local connects → ECONNREFUSED
expect local CLOSED held
local closes
local reads → EBADF
local closes → EBADF
remote accepts → EBADF
remote stops listening → EBADF
remote listens
remote listens → EADDRINUSE
expect local gone; remote LISTEN
local connects
local sets keepalive on idle 1h every 1m probes 3
local sets keepalive off
local sets user-timeout 30s
local sets linger2 never
remote tunes retries 3
remote tunes fin-wait-2 30s
expect local ESTABLISHED held; remote ESTABLISHED held by nobody
remote accepts
remote accepts → EAGAIN
remote stops listening
expect remote ESTABLISHED held
local reads → EAGAIN
local writes until blocked → some
expect local with timer probe
on gvisor-netstack expect local ESTABLISHED because its timers can not be seen
remote reads → some
remote reads → ?
local takes error → ok
local shuts down writing
local writes 1 → EPIPE
local shuts down both → ok
local destroys
local destroys → ENOTCONN
local shuts down writing → ENOTCONN
local exits
local exits
expect local gone
remote aborts → ?
expect remote gone
