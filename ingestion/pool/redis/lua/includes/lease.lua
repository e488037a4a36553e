-- The alive clock of a task that a worker holds.
-- @include clock
-- @include task
local function renew_lease(id)
  local expires = int(now + tonumber(arg.lease_us))
  redis.call('HSET', task_key(id), 'lease_expires_at', expires)
  redis.call('ZADD', key.leases, expires, id)
end
