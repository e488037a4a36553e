-- The state is whole, and it is the one that the caller means by its epoch; '' asks nothing.
-- A server that was started again may have loaded something older than it had answered before.
-- Every RUNNING task has a lease or waits for its confirmation; every QUEUED one is in a CRM's queue,
-- delayed or held, and stands once more in ``overlaps``. So no set, nor a member of one, is lost
-- without a count that differs; each is asked for in O(1), a queue's once per CRM.
--
-- KEYS  config(hash) active(zset) leases(zset) unconfirmed(zset)
-- KEYS  queues(set) queue_family(zset*) waiting(zset) delayed(zset) held(zset) overlaps(zset)
-- ARGV  epoch(number, '' = any) installation(id, '' = none yet) owner
-- @include run_id
-- @include installation
local function size(set) return redis.call('ZCARD', set) end

local function in_queues()
  local count = 0
  for _, crm in ipairs(redis.call('SMEMBERS', key.queues)) do
    count = count + size(key.queue_family .. crm)
  end
  return count
end

local function why_lost()
  local kept = redis.call('HMGET', key.config, 'epoch', 'run_id')
  if not kept[1] then return 'there is none' end
  if kept[1] ~= arg.epoch then return 'another one was built' end
  if kept[2] ~= run_id() then return 'the server was started again' end
  if size(key.active) ~= size(key.leases) + size(key.unconfirmed) then
    return 'a set of running tasks is gone, or one in it'
  end
  local queued = size(key.waiting)
  if queued ~= in_queues() then return 'a queue is gone, or a task in it' end
  if size(key.overlaps) ~= queued + size(key.delayed) + size(key.held) then
    return 'a set of waiting tasks is gone, or one in it'
  end
end

if arg.epoch ~= '' then
  local other = other_owner()
  if other then return {'ERR', 'OTHER_INSTALLATION', other} end
  local why = why_lost()
  if why then return {'ERR', 'STATE_LOST', why} end
  if not kept_id() then take_possession() end
end
