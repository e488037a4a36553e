-- A QUEUED task stands in its CRM's queue (and in ``waiting``), in ``delayed``, or in ``held``.
-- @include guard
-- @include clock
-- @include task
-- @include place
-- @include dead_letter
local PROMOTED_AT_ONCE = 100

local function dequeue(id)
  local crm, overlap = fields_of(id, 'crm_source', 'overlap')
  if overlap then redis.call('ZREM', key.overlaps, overlap .. id, '+' .. overlap .. id) end
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
      dead_letter(id, 'a delayed task cannot be read')
    end
  end
end
