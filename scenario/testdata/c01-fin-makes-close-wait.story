# C1. A FIN moves local to CLOSE_WAIT
#
# The dashboard's host is "local", the server it talks to is "remote". The
# server has nothing more to say and closes. Nobody at local did anything.
claim C1 Receiving a FIN moves an established local endpoint to CLOSE_WAIT.

remote listens
local connects
remote accepts
expect local ESTABLISHED; remote ESTABLISHED

remote closes
expect local CLOSE_WAIT held with recv-q 1  # the FIN counts as one unread octet
