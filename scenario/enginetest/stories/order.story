# Rules are asked in their order, and each counts what reaches it

local and remote are connected
the link loses the first data segment
the link loses the first data segment
local writes 1
local writes 1
local writes 1
expect wire local→remote 2 bytes lost, 1 byte
