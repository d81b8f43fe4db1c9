# C7. The application ignores the zero, and TCP can only wait
#
# Both TCPs have done all they can: the FIN is acknowledged, the application
# has been told. CLOSE_WAIT now means "waiting for the application's close()".
# One such close() is all that was missing.
claim C7 Many connections stuck in CLOSE_WAIT mean an application-level bug (relative to TCP): the
    application, or a library working for it, ignores the read return of zero.

local and remote are connected
remote closes
local reads → 0
wait 15s
expect local CLOSE_WAIT held with recv-q 0

local closes
expect local gone
