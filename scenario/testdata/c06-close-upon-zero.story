# C6. An application that does not want a simplex connection closes upon the zero
#
# This is how it should be. Local's FIN is lost once, so that LAST_ACK lasts
# long enough to be seen.
claim C6 Few applications want that. One that does not must close upon the read return of zero; it
    then goes LAST_ACK → CLOSED, and the remote TIME_WAIT.

local and remote are connected
remote closes
local reads → 0
the link loses the first FIN from local
local closes
expect local LAST_ACK held by nobody; remote FIN_WAIT_2 held by nobody

wait until local gone, at most 10s
expect local gone; remote TIME_WAIT held by nobody with timer wait
wait until remote gone, at most 5m
expect local gone; remote gone
