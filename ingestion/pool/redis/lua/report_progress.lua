-- Report progress: the holder has moved (the moving clock) and renews its lease.
--
-- KEYS  task_family(hash*) queues(set) active(zset) leases(zset) stats(hash)
-- ARGV  clock_offset_us(µs) lease_us(µs) task_id(id) attempt(number) progress(JSON)
-- OK    task(flat)
-- ERR   NOT_FOUND GONE
-- @include guard
-- @include clock
-- @include holder
local refusal = refuse_unless_held(arg.task_id, arg.attempt)
if refusal then return refusal end
renew_lease(arg.task_id)
redis.call('HSET', task_key(arg.task_id), 'last_heartbeat', int(now), 'progress', arg.progress)
redis.call('ZADD', key.active, int(now), arg.task_id)
return ok(task_of(arg.task_id))
