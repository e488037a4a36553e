-- Move to front: a QUEUED task stands before every task that waits now, whatever its priority. The
-- first one stays as it is.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset) active(zset) leases(zset) unconfirmed(zset) finished(zset)
-- KEYS  stats(hash) set_aside(hash) operation_family(string*)
-- ARGV  clock_offset_us(µs) answer_seconds(s) task_id(id) expected(revision, '' = any) token
-- OK    task(flat)
-- ERR   NOT_FOUND CONFLICT NOT_QUEUED
-- @include operation
-- @include queue
-- @include waiting
-- @include heads
local earlier = recall(arg.token)
if earlier then return earlier end
local id = arg.task_id
local refusal = refuse_unless_waiting(id, arg.expected)
if refusal then return refusal end
local first = best_of(all_heads(head_of))
if first and first.id ~= id and comes_first(first, {id = id, score = number((fields_of(id, 'score')))}) then
  local score = int(first.score - 1)
  dequeue(id)
  redis.call('HSET', task_key(id), 'score', score, 'front_score', score)
  rise(id)
  place(id)
end
return remember(arg.token, ok(task_of(id)))
