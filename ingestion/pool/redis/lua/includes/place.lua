-- Put a QUEUED task where it waits, at its place by the order rule in force. One that waits for
-- others stands with the held ones, and is not found by what it is for: see pool/overlap.py.
-- @include clock
-- @include task
-- @include order
-- The rule may be another one than when the task was last placed.
local function rescored(id)
  local score = int(score_of(id))
  redis.call('HSET', task_key(id), 'score', score)
  return score
end

local function enqueue(id)
  local crm, queued_at = fields_of(id, 'crm_source', 'queued_at')
  local score = rescored(id)
  redis.call('SADD', key.queues, crm)
  redis.call('ZADD', key.queue_family .. crm, score, id)
  redis.call('ZADD', key.waiting, queued_at, id)
end

local function place(id)
  local not_before, held_at, overlap, after, queued_at = fields_of(id,
    'not_before', 'held_at', 'overlap', 'after', 'queued_at')
  if overlap then redis.call('ZADD', key.overlaps, 0, (after and '+' or '') .. overlap .. id) end
  if held_at or after then
    rescored(id)
    redis.call('ZADD', key.held, held_at or queued_at, id)
  elseif number(not_before) > now then
    rescored(id)
    redis.call('ZADD', key.delayed, int(number(not_before)), id)
  else
    enqueue(id)
  end
end
