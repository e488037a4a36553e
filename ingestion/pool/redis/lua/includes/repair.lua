-- How a round of repairs ends tasks that are lost or stale.
-- @include ending
-- @include overdue
local function end_one_lost(id)
  local attempt, max_attempts, worker, cancel, reason = fields_of(id,
    'attempt', 'max_attempts', 'worker', 'cancel_requested_at', 'error_message')
  local message = arg.lost_message:gsub('{worker}', function() return worker or '?' end)
  count('lost')
  if cancel then return end_task(id, 'cancelled', reason) end
  if number(attempt) >= number(max_attempts) then return end_task(id, 'failed', message) end
  local wait = tonumber(arg.backoff_us) * 2 ^ (number(attempt) - 1)
  requeue(id, message, math.min(wait, tonumber(arg.backoff_max_us)))
  count('requeued')
end

local function end_one_stale(id)
  local cancel, reason = fields_of(id, 'cancel_requested_at', 'error_message')
  count('stale')
  if cancel then return end_task(id, 'cancelled', reason) end
  end_task(id, 'failed', arg.stale_message)
end

local function end_lost() return all_ended(overdue(key.leases, now, AT_ONCE), end_one_lost) end

-- A task that still waits for its worker does not move either, but it is not stale.
local function end_stale()
  local ids = {}
  for _, id in ipairs(overdue(key.active, now - tonumber(arg.stale_us), RUNNING_AT_MOST)) do
    if not redis.call('ZSCORE', key.unconfirmed, id) then ids[#ids + 1] = id end
  end
  return all_ended(ids, end_one_stale)
end
