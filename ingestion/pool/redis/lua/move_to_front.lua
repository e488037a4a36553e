-- Move to front: a QUEUED task stands before every task that waits, whatever its priority and the
-- order rule. The first one stays as it is.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset) active(zset) leases(zset) unconfirmed(zset) finished(zset)
-- KEYS  stats(hash) dead_letters(hash) operation_family(string*)
-- ARGV  clock_offset_us(µs) answer_seconds(s) task_id(id) expected(revision, '' = any) token
-- ARGV  front(score)
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
local is_behind = first and first.id ~= id and comes_first(first, {id = id, score = score_of(id)})
-- While what waits is put into a new order, the one that stands first may not be the first.
local is_unsure = first and is_rescoring() and not fields_of(id, 'front_score')
if is_behind or is_unsure then
  dequeue(id)
  redis.call('HSET', task_key(id),
    'front_score', int(math.min(first.score, tonumber(arg.front)) - 1))
  rise(id)
  place(id)
end
return remember(arg.token, ok(task_of(id)))
