# C3. A FIN says "no more data from me", and nothing else
#
# It does not say "I am gone", nor "I do not listen any more": what local sends
# afterwards is received and acknowledged. Only the sender of the FIN has given
# up a right, the one to write.
claim C3 A FIN says only "no more data from me".

local and remote are connected
remote shuts down writing
expect wire remote→local FIN; local→remote ACK

remote writes 1 → EPIPE
local writes 10 → 10
expect wire local→remote 10 bytes; remote→local ACK
remote reads → 10
