-- The first entries of one queue; those with the same score in the order of their submission.
-- @include heads
-- Delayed and held tasks stand by their times alone.
local function may_have_equals(queue)
  return unit_us > 1 and queue ~= key.delayed and queue ~= key.held
end

-- Id and score in turn; with all that have the last score, also those behind the page's end.
local function flat_page(queue, score, at_most)
  local flat = redis.call('ZRANGEBYSCORE', queue, score, '+inf', 'WITHSCORES', 'LIMIT', 0, at_most)
  local last = flat[#flat]
  if #flat < 2 * at_most or not last or not may_have_equals(queue) then return flat end
  while flat[#flat] == last do flat[#flat], flat[#flat - 1] = nil, nil end
  for _, id in ipairs(equals_of(queue, last)) do
    flat[#flat + 1], flat[#flat + 2] = id, last
  end
  return flat
end

local function entries_of(queue, score, at_most)
  local entries, flat = {}, flat_page(queue, score, at_most)
  for i = 1, #flat, 2 do
    entries[#entries + 1] =
      {id = flat[i], score = tonumber(flat[i + 1]), text = flat[i + 1], queue = queue}
  end
  if may_have_equals(queue) then table.sort(entries, comes_first) end
  return entries
end
