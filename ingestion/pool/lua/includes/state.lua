-- The state is whole, and it is the one that the caller means by its epoch; '' asks nothing.
-- A server that was started again may have loaded something older than it had answered before.
-- Every RUNNING task has a lease or waits for its confirmation.
--
-- KEYS  config(hash) active(zset) leases(zset) unconfirmed(zset)
-- ARGV  epoch(number, '' = any)
-- @include run_id
local function why_lost()
  local kept = redis.call('HMGET', key.config, 'epoch', 'run_id')
  if not kept[1] then return 'there is none' end
  if kept[1] ~= arg.epoch then return 'another one was built' end
  if kept[2] ~= run_id() then return 'the server was started again' end
  local held = redis.call('ZCARD', key.leases) + redis.call('ZCARD', key.unconfirmed)
  if redis.call('ZCARD', key.active) ~= held then return 'a set of running tasks is gone' end
end

if arg.epoch ~= '' then
  local why = why_lost()
  if why then return {'ERR', 'STATE_LOST', why} end
end
