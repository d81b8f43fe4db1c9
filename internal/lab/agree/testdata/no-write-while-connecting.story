# A write before the connection is there would block
the link loses every SYN
local connects → EINPROGRESS
local writes 10 → EAGAIN
expect local SYN_SENT with send-q 1
