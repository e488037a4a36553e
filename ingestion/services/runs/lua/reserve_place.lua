-- Takes the next free place of a rate: at most N places within any window.
-- KEYS[1] list: the last N places taken, µs since 1970, oldest first
-- ARGV[1] N, places per window
-- ARGV[2] the window, µs
-- ARGV[3] patience, µs: a place that begins later is not taken
-- returns how long until the place begins, µs (0: now); more than the patience: none was taken
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local places = tonumber(ARGV[1])
local window = tonumber(ARGV[2])

-- With the last N places kept, the first of them says when the next one is free.
local at = now
local taken = redis.call('LLEN', KEYS[1])
if taken >= places then
  local first = tonumber(redis.call('LINDEX', KEYS[1], taken - places))
  at = math.max(now, first + window)
end
if at - now <= tonumber(ARGV[3]) then
  redis.call('RPUSH', KEYS[1], string.format('%.0f', at))
  redis.call('LTRIM', KEYS[1], -places, -1)
  redis.call('PEXPIRE', KEYS[1], math.ceil((at - now + window) / 1000))
end
return string.format('%.0f', at - now)
