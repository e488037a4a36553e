-- Where a task stands by its own status: a RUNNING one in a slot, an ended one with the finished.
-- @include lease
local function hold(id)
  redis.call('HSET', task_key(id), 'last_heartbeat', int(now))
  redis.call('ZADD', key.active, int(now), id)
  if fields_of(id, 'confirmed_at') then
    renew_lease(id)
  else
    redis.call('ZADD', key.unconfirmed, 0, id)
  end
end

local function retain(id)
  redis.call('ZADD', key.finished, fields_of(id, 'completed_at') or int(now), id)
  redis.call('PEXPIRE', task_key(id), arg.retention_ms)
end
