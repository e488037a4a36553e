-- Take a task that cannot be read out of every structure, so that it holds no slot and no place,
-- and keep what was stored where an operator can see it (the first KEPT of them). A hash that is
-- gone altogether was lost, not broken: with an epoch the caller is told, and rebuilds the state.
-- @include answer
-- @include task
-- @include stats
local KEPT = 500

local function stored_json(id, reason)
  local stored, flat = {}, task_of(id)
  for i = 1, #flat, 2 do stored[flat[i]] = flat[i + 1] end
  return cjson.encode({reason = reason, stored = stored})
end

local function dead_letter(id, reason)
  if arg.epoch ~= '' and redis.call('EXISTS', task_key(id)) == 0 then
    broken[#broken + 1], broken[#broken + 2] = id, 'VANISHED'
    return
  end
  if redis.call('HLEN', key.dead_letters) < KEPT then
    redis.call('HSET', key.dead_letters, id, stored_json(id, reason))
  end
  for _, set in ipairs({'active', 'leases', 'unconfirmed', 'waiting', 'delayed', 'held',
    'finished'}) do
    redis.call('ZREM', key[set], id)
  end
  local overlap = (fields_of(id, 'overlap') or '') .. id
  redis.call('ZREM', key.overlaps, overlap, '+' .. overlap)
  for _, crm in ipairs(redis.call('SMEMBERS', key.queues)) do
    redis.call('ZREM', key.queue_family .. crm, id)
  end
  redis.call('DEL', task_key(id))
  count('dead_letters')
  broken[#broken + 1], broken[#broken + 2] = id, reason
end
