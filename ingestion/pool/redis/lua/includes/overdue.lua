-- Tasks that are overdue in a sorted set, a bounded number, and what becomes of them.
-- @include dead_letter
local AT_ONCE, RUNNING_AT_MOST = 100, 2000

local function overdue(set, since, at_most)
  return redis.call('ZRANGEBYSCORE', set, '-inf', int(since), 'LIMIT', 0, at_most)
end

-- Each is ended by ``act(id)``; answers what the tasks have become.
local function all_ended(ids, act)
  local ended = {}
  for _, id in ipairs(ids) do
    if fields_of(id, 'status') == 'running' then
      act(id)
      ended[#ended + 1] = task_of(id)
    else
      dead_letter(id, 'an active task cannot be read')
    end
  end
  return ended
end
