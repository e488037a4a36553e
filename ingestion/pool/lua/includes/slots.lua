-- The limit in force, and what the Celery workers online can carry of it.
-- @include clock
-- @include controls
local function max_workers() return limit_of('') or tonumber(arg.default_max_workers) end

local function capacity_online()
  local sum, since = 0, int(now - tonumber(arg.worker_ttl_us))
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', key.workers, since, '+inf')) do
    sum = sum + (tonumber(redis.call('HGET', key.worker_capacity, name) or 0) or 0)
  end
  return sum
end

-- Before any worker was ever seen there is nothing to go by but the limit.
local function effective_limit()
  if redis.call('ZCARD', key.workers) == 0 then return max_workers() end
  return math.min(max_workers(), capacity_online())
end
