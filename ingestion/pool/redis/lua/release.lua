-- Release: let a held task go back to its old place. One that is not held stays as it is.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset) active(zset) leases(zset) unconfirmed(zset) finished(zset)
-- KEYS  stats(hash) dead_letters(hash) operation_family(string*)
-- ARGV  clock_offset_us(µs) answer_seconds(s) task_id(id) expected(revision, '' = any) token
-- OK    task(flat)
-- ERR   NOT_FOUND CONFLICT NOT_QUEUED
-- @include operation
-- @include queue
-- @include waiting
local earlier = recall(arg.token)
if earlier then return earlier end
local refusal = refuse_unless_waiting(arg.task_id, arg.expected)
if refusal then return refusal end
if fields_of(arg.task_id, 'held_at') then
  dequeue(arg.task_id)
  redis.call('HDEL', task_key(arg.task_id), 'held_at', 'held_by', 'held_reason')
  rise(arg.task_id)
  place(arg.task_id)
end
return remember(arg.token, ok(task_of(arg.task_id)))
