-- Confirm: a worker takes the task, once per attempt. The same token again changes nothing.
--
-- KEYS  task_family(hash*) queues(set) active(zset) leases(zset) unconfirmed(zset) stats(hash)
-- ARGV  clock_offset_us(µs) lease_us(µs) task_id(id) attempt(number) worker(name) token
-- OK    task(flat)
-- ERR   NOT_FOUND GONE ALREADY_CONFIRMED
-- @include guard
-- @include clock
-- @include holder
local status, attempt, holder = fields_of(arg.task_id, 'status', 'attempt', 'confirm_token')
if not status then return refuse('NOT_FOUND') end
if status ~= 'running' or number(attempt) ~= tonumber(arg.attempt) then return refuse('GONE') end
if holder and holder ~= arg.token then return refuse('ALREADY_CONFIRMED') end
if not holder then
  redis.call('HSET', task_key(arg.task_id), 'confirm_token', arg.token, 'worker', arg.worker,
    'confirmed_at', int(now), 'last_heartbeat', int(now))
  redis.call('ZREM', key.unconfirmed, arg.task_id)
  redis.call('ZADD', key.active, int(now), arg.task_id)
  renew_lease(arg.task_id)
end
return ok(task_of(arg.task_id))
