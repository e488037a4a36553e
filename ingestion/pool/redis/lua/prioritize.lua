-- Prioritize: a QUEUED task stands where its submission and its new priority put it. One that
-- has this priority, and was not moved, stays as it is.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset) active(zset) leases(zset) unconfirmed(zset) finished(zset)
-- KEYS  config(hash) stats(hash) dead_letters(hash) operation_family(string*)
-- ARGV  clock_offset_us(µs) answer_seconds(s) task_id(id) expected(revision, '' = any) token
-- ARGV  priority(level)
-- OK    task(flat)
-- ERR   NOT_FOUND CONFLICT NOT_QUEUED
-- @include operation
-- @include queue
-- @include waiting
local earlier = recall(arg.token)
if earlier then return earlier end
local id = arg.task_id
local refusal = refuse_unless_waiting(id, arg.expected)
if refusal then return refusal end
local priority, front_score = fields_of(id, 'priority', 'front_score')
if front_score or number(priority) ~= tonumber(arg.priority) then
  dequeue(id)
  redis.call('HSET', task_key(id), 'priority', arg.priority)
  redis.call('HDEL', task_key(id), 'front_score')
  rise(id)
  place(id)
end
return remember(arg.token, ok(task_of(id)))
