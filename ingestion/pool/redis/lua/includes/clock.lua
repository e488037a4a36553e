-- Redis's own time is the only clock; the offset lets tests pass time. µs since 1970.
-- Numbers are doubles here: int() is the only way by which one is written.
local function int(number) return string.format('%.0f', number) end

local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2]) + tonumber(arg.clock_offset_us)
end

local now = clock()
