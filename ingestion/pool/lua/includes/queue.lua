-- A QUEUED task stands in its CRM's queue (and in ``waiting``), in ``delayed``, or in ``held``.
-- @include guard
-- @include clock
-- @include task
-- @include set_aside
local PROMOTED_AT_ONCE = 100

local function enqueue(id)
  local crm, score, queued_at = fields_of(id, 'crm_source', 'score', 'queued_at')
  redis.call('SADD', key.queues, crm)
  redis.call('ZADD', key.queue_family .. crm, score, id)
  redis.call('ZADD', key.waiting, queued_at, id)
end

local function place(id)
  local not_before, held_at, overlap = fields_of(id, 'not_before', 'held_at', 'overlap')
  if overlap then redis.call('ZADD', key.overlaps, 0, overlap .. id) end
  if held_at then
    redis.call('ZADD', key.held, held_at, id)
  elseif number(not_before) > now then
    redis.call('ZADD', key.delayed, int(number(not_before)), id)
  else
    enqueue(id)
  end
end

local function dequeue(id)
  local crm, overlap = fields_of(id, 'crm_source', 'overlap')
  if overlap then redis.call('ZREM', key.overlaps, overlap .. id) end
  redis.call('ZREM', key.queue_family .. crm, id)
  redis.call('ZREM', key.waiting, id)
  redis.call('ZREM', key.delayed, id)
  redis.call('ZREM', key.held, id)
  if redis.call('EXISTS', key.queue_family .. crm) == 0 then
    redis.call('SREM', key.queues, crm)
  end
end

-- Nothing but a well-formed QUEUED task may be queued or started.
local function is_readable(id)
  local status, name, crm, sync_type, queued_at, score, attempt, parameters = fields_of(id,
    'status', 'task_name', 'crm_source', 'sync_type', 'queued_at', 'score', 'attempt', 'parameters')
  return status == 'queued' and name and crm and sync_type and tonumber(queued_at or '')
    and tonumber(score or '') and tonumber(attempt or 0)
    and (pcall(cjson.decode, parameters or '{}'))
end

local function promote_due()
  local due = redis.call(
    'ZRANGEBYSCORE', key.delayed, '-inf', int(now), 'LIMIT', 0, PROMOTED_AT_ONCE)
  for _, id in ipairs(due) do
    if is_readable(id) then
      redis.call('ZREM', key.delayed, id)
      enqueue(id)
    else
      set_aside(id, 'a delayed task cannot be read')
    end
  end
end
