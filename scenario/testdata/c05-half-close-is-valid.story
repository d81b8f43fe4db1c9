# C5. A half-closed connection can be a healthy one
#
# The remote said with shutdown(SHUT_WR) that its request is complete, and now
# reads the answer, however long that takes. To call this CLOSE_WAIT a leak
# would be wrong.
claim C5 If the FIN came from shutdown(SHUT_WR), the connection is a valid simplex one: local
    (CLOSE_WAIT) may go on sending and remote (FIN_WAIT_2) receives.
on windows does not hold
    because its FIN_WAIT_2 timer starts after shutdown(SD_SEND) alone, too (Windows Server 2003, 300
    s)

local and remote are connected
remote shuts down writing
local reads → 0
local writes 1000 → 1000
expect local CLOSE_WAIT; remote FIN_WAIT_2 held
remote reads → 1000

wait 1h  # a long computation
local writes 500 → 500
on windows → 500 because local can not know yet
remote reads → 500
on windows → ECONNRESET because the timer resets the connection under the application
expect local CLOSE_WAIT; remote FIN_WAIT_2 held
on windows expect local CLOSED; remote CLOSED held because the data drew a RST

local closes
remote reads → 0
on windows → 0 because the error was told once
expect local gone; remote TIME_WAIT held
on windows expect local gone; remote CLOSED held because the connection had ended before
