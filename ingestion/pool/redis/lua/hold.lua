-- Hold: take a QUEUED task out of the queue until it is let go; it keeps its order. One that is held
-- already stays as it is.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset) active(zset) leases(zset) unconfirmed(zset) finished(zset)
-- KEYS  stats(hash) dead_letters(hash) operation_family(string*)
-- ARGV  clock_offset_us(µs) answer_seconds(s) task_id(id) expected(revision, '' = any) token
-- ARGV  by(name) reason
-- OK    task(flat)
-- ERR   NOT_FOUND CONFLICT NOT_QUEUED
-- @include operation
-- @include queue
-- @include waiting
local earlier = recall(arg.token)
if earlier then return earlier end
local refusal = refuse_unless_waiting(arg.task_id, arg.expected)
if refusal then return refusal end
if not fields_of(arg.task_id, 'held_at') then
  dequeue(arg.task_id)
  redis.call('HSET', task_key(arg.task_id),
    'held_at', int(now), 'held_by', arg.by, 'held_reason', arg.reason)
  rise(arg.task_id)
  place(arg.task_id)
end
return remember(arg.token, ok(task_of(arg.task_id)))
