-- Return to queue: put a task that surely was not sent back to its old place. The attempt is a fencing
-- token and is never used twice, so one more is allowed instead of counting it back.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset)
-- KEYS  active(zset) leases(zset) unconfirmed(zset) finished(zset) stats(hash) dead_letters(hash)
-- ARGV  clock_offset_us(µs) retention_ms(ms) task_id(id) attempt(number)
-- OK    task(flat)
-- ERR   NOT_FOUND GONE ALREADY_CONFIRMED ALREADY_FINISHED
-- @include ending
local status, attempt, confirmed = fields_of(arg.task_id, 'status', 'attempt', 'confirmed_at')
if not status then return refuse('NOT_FOUND') end
if number(attempt) ~= tonumber(arg.attempt) then return refuse('GONE') end
if is_final(status) then return refuse('ALREADY_FINISHED') end
if confirmed then return refuse('ALREADY_CONFIRMED') end
if status == 'running' then
  requeue(arg.task_id, nil, 0)
  redis.call('HINCRBY', task_key(arg.task_id), 'max_attempts', 1)
  count('released')
end
return ok(task_of(arg.task_id))
