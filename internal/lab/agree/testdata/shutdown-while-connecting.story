# shutdown() ends a connect() under way with ECONNRESET, and the socket is as new
the link loses every SYN
local connects → EINPROGRESS
local shuts down reading
expect local CLOSED held
local writes 1 → ECONNRESET
local reads → ENOTCONN
the link recovers
remote listens
local connects → ok
expect local ESTABLISHED
