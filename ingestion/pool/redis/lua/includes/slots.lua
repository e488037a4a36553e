-- The limit in force, and what the Celery workers online can carry of it.
-- @include clock
-- @include controls
local function max_workers() return limit_of('') or tonumber(arg.default_max_workers) end

local function seen_workers()
  return redis.call('ZRANGEBYSCORE', key.workers, int(now - tonumber(arg.worker_ttl_us)), '+inf')
end

local function capacity_of(name)
  return tonumber(redis.call('HGET', key.worker_capacity, name) or 0) or 0
end

local function capacity_online()
  local sum = 0
  for _, name in ipairs(seen_workers()) do sum = sum + capacity_of(name) end
  return sum
end

-- Before any worker was ever seen there is nothing to go by but the limit.
local function effective_limit()
  if redis.call('ZCARD', key.workers) == 0 then return max_workers() end
  return math.min(max_workers(), capacity_online())
end
