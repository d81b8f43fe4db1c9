# C2. The application is told by a read that returns zero
#
# What was queued before the FIN comes first. The zero says that nothing more
# will come, and says so every time it is asked.
claim C2 The local application is told by a read that returns zero, once the data queued before the
    FIN is read.

local and remote are connected
remote writes 5
remote writes 7
remote closes
expect local CLOSE_WAIT with recv-q 13

local reads 5 → 5
local reads 5 → 5
local reads 5 → 2
local reads 5 → 0
local reads 5 → 0
expect local CLOSE_WAIT held with recv-q 0
