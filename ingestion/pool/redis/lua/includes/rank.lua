-- Where a page begins that skips many entries: its score is found by halving, whatever their number.
-- A few are walked.
-- @include clock
-- @include parts
local WALKED = 500

local function ends_of(queues)
  local low, high
  for _, queue in ipairs(queues) do
    local first = tonumber(redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')[2])
    local last = tonumber(redis.call('ZRANGE', queue, -1, -1, 'WITHSCORES')[2])
    low = math.min(low or first, first)
    high = math.max(high or last, last)
  end
  return low, high
end

-- The score of the entry before which ``skip`` others stand, and how many of these have it too.
local function begin_at(queues, skip)
  if skip <= WALKED then return '-inf', skip end
  if count_of(queues, '-inf', '+inf') <= skip then return '+inf', 0 end
  local low, high = ends_of(queues)
  while low < high do
    local middle = math.floor(low / 2 + high / 2)
    if count_of(queues, '-inf', int(middle)) > skip then high = middle else low = middle + 1 end
  end
  return int(low), skip - count_of(queues, '-inf', '(' .. int(low))
end
