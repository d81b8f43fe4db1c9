# What became of a connect() is told by the next one, and the one after that tries anew
local connects → ECONNREFUSED
expect wire local→remote SYN; remote→local RST
local connects → ECONNABORTED
expect wire nothing
local connects → ECONNREFUSED
expect wire local→remote SYN; remote→local RST again
