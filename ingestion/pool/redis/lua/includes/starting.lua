-- The task at the head of a queue starts, or gives way to those behind it.
-- @include queue
-- @include stats
-- @include known_tasks
local function start(id)
  local attempt = number((fields_of(id, 'attempt'))) + 1
  dequeue(id)
  redis.call('HSET', task_key(id), 'status', 'running', 'attempt', int(attempt),
    'started_at', int(now), 'last_heartbeat', int(now), 'celery_task_id', id .. '.' .. int(attempt))
  redis.call('HDEL', task_key(id), 'error_message', 'resends')
  redis.call('ZADD', key.active, int(now), id)
  redis.call('ZADD', key.unconfirmed, int(now), id)
  rise(id)
  count('started')
  return task_of(id)
end

-- No worker online knows it: it takes no slot, and is looked at again after a while.
local function park(id)
  dequeue(id)
  redis.call('HSET', task_key(id), 'not_before', int(now + tonumber(arg.dispatch_us)))
  place(id)
end
