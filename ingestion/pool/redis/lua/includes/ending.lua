-- An attempt ends: its slot is free, and the task is final or QUEUED again at its old place.
-- @include clock
-- @include queue
-- @include stats
local function is_final(status)
  return status == 'completed' or status == 'failed' or status == 'cancelled'
end

local function leave_slot(id)
  redis.call('ZREM', key.active, id)
  redis.call('ZREM', key.leases, id)
  redis.call('ZREM', key.unconfirmed, id)
  redis.call('HDEL', task_key(id), 'lease_expires_at')
end

local function set_message(id, message)
  if message and message ~= '' then
    redis.call('HSET', task_key(id), 'error_message', message)
  else
    redis.call('HDEL', task_key(id), 'error_message')
  end
end

-- ``token`` lets the one who ended it call again.
local function end_task(id, status, message, token)
  leave_slot(id)
  set_message(id, message)
  redis.call('HSET', task_key(id),
    'status', status, 'completed_at', int(now), 'finish_token', token or '')
  redis.call('HDEL', task_key(id), 'held_at', 'held_by', 'held_reason')
  redis.call('ZADD', key.finished, int(now), id)
  redis.call('PEXPIRE', task_key(id), arg.retention_ms)
  rise(id)
  count(status)
end

local function requeue(id, message, wait_us)
  leave_slot(id)
  set_message(id, message)
  redis.call('HSET', task_key(id), 'status', 'queued')
  redis.call('HDEL', task_key(id), 'started_at', 'last_heartbeat', 'celery_task_id', 'worker',
    'confirmed_at', 'confirm_token', 'progress', 'not_before')
  if wait_us > 0 then redis.call('HSET', task_key(id), 'not_before', int(now + wait_us)) end
  rise(id)
  place(id)
end
