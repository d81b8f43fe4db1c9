# A socket that was connected is so for ever: connect() is EISCONN, though the connection is gone
local and remote are connected
remote aborts
expect local CLOSED held
local connects → EISCONN
local takes error → ECONNRESET
local connects → EISCONN
