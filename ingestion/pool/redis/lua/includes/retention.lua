-- Drop finished tasks that ended before ``until_us``, a bounded number; how many.
-- @include task
local DROPPED_AT_ONCE = 500

local function drop_finished(until_us)
  local ids = redis.call(
    'ZRANGEBYSCORE', key.finished, '-inf', until_us, 'LIMIT', 0, DROPPED_AT_ONCE)
  for _, id in ipairs(ids) do
    redis.call('DEL', task_key(id))
    redis.call('ZREM', key.finished, id)
  end
  return #ids
end
