# shutdown() of what is not connected fails, and is remembered: a read then returns zero
#
# After a connect() that failed, all others are EINVAL then.
local connects → ECONNREFUSED
local shuts down both → ENOTCONN
local reads → 0
local connects → EINVAL
