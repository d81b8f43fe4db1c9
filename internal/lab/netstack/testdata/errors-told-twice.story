# What ended a handshake or a timer is told twice
local connects → ECONNREFUSED
local takes error → ok
on gvisor-netstack → ECONNREFUSED
    because both lastError and hardError hold it (connect.go:1487 handshakeFailed), and SO_ERROR
    takes one at a time (endpoint.go:1417 LastError)
local takes error → ok
local closes

local and remote are connected
the link loses everything
local sets user-timeout 10s
local writes 1
wait 1m
local takes error → ETIMEDOUT
local takes error → ok
on gvisor-netstack → ETIMEDOUT because both hold it (connect.go:135 timerHandler)
