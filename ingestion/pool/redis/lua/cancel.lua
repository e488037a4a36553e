-- Cancel: a QUEUED or unconfirmed task is CANCELLED and its slot free; one that a worker holds is
-- asked to stop, once.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset)
-- KEYS  active(zset) leases(zset) unconfirmed(zset) finished(zset) stats(hash) dead_letters(hash)
-- KEYS  operation_family(string*)
-- ARGV  clock_offset_us(µs) answer_seconds(s) retention_ms(ms) task_id(id) reason token
-- ARGV  expected(revision, '' = any)
-- OK    task(flat)
-- ERR   NOT_FOUND CONFLICT ALREADY_FINISHED
-- @include operation
-- @include ending
-- @include conflict
local earlier = recall(arg.token)
if earlier then return earlier end
local refusal = refuse_if_changed(arg.task_id, arg.expected)
if refusal then return refusal end
local status, confirmed_at, cancel = fields_of(arg.task_id,
  'status', 'confirmed_at', 'cancel_requested_at')
if is_final(status) then return refuse('ALREADY_FINISHED') end
if not confirmed_at then
  dequeue(arg.task_id)
  end_task(arg.task_id, 'cancelled', arg.reason, arg.token)
elseif not cancel then
  redis.call('HSET', task_key(arg.task_id), 'cancel_requested_at', int(now))
  set_message(arg.task_id, arg.reason)
  rise(arg.task_id)
end
return remember(arg.token, ok(task_of(arg.task_id)))
