-- Those that wait for what will not complete here: it failed, was cancelled, or is not known. The
-- others among them are let go, should nobody have done it. So many of the held part are looked at
-- in one call, and the next one goes on behind them.
-- @include chains
local LOOKED_AT = 100

local function next_held()
  local from = number(redis.call('HGET', key.config, 'followers_from'))
  local ids = redis.call('ZRANGE', key.held, from, from + LOOKED_AT - 1)
  local is_more = #ids == LOOKED_AT
  if is_more or from > 0 then
    redis.call('HSET', key.config, 'followers_from', is_more and int(from + LOOKED_AT) or 0)
  end
  return ids
end

local function is_blocked(id)
  local before = linked(id, 'after')
  local left = still_open(id, before)
  wait_for(id, before, left)
  for other in pairs(left) do
    if not is_open(other) then return true end
  end
  return false
end

local function blocked()
  local found = {}
  for _, id in ipairs(next_held()) do
    local held_at, after = fields_of(id, 'held_at', 'after')
    if after and not held_at and is_readable(id) and is_blocked(id) then
      found[#found + 1] = task_of(id)
    end
  end
  return found
end
