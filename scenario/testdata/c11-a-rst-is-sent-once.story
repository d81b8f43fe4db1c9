# C11. A RST is best-effort
#
# The remote aborts the connection. Its RST is lost, and nobody notices: there
# is no state left at the remote that could send it again, and nothing
# outstanding at local that could ask.
claim C11 RSTs are best-effort: never retransmitted for their own sake.

local and remote are connected
the link loses the first RST from remote
remote aborts
expect wire remote→local RST lost
expect local ESTABLISHED held; remote gone

wait 1h
expect wire nothing
expect local ESTABLISHED held; remote gone
