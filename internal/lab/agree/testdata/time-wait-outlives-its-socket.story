# What destroys TIME_WAIT (ss -K) does nothing to the socket that it was of
local and remote are connected
local shuts down writing
remote closes
expect local TIME_WAIT held
local destroys
expect local CLOSED held
local takes error → ok
