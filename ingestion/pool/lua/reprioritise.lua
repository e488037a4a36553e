-- Reprioritise: a QUEUED task stands where its submission and its new priority put it. One that
-- has this priority, and was not moved, stays as it is.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset) active(zset) leases(zset) unconfirmed(zset) finished(zset)
-- KEYS  config(hash) stats(hash) set_aside(hash) operation_family(string*)
-- ARGV  clock_offset_us(µs) answer_seconds(s) order_step_us(µs) epoch_us(µs) aging_us(µs)
-- ARGV  strict_level(score) task_id(id) expected(revision, '' = any) token priority(level)
-- OK    task(flat)
-- ERR   NOT_FOUND CONFLICT NOT_QUEUED
-- @include operation
-- @include queue
-- @include waiting
-- @include order
local earlier = recall(arg.token)
if earlier then return earlier end
local id = arg.task_id
local refusal = refuse_unless_waiting(id, arg.expected)
if refusal then return refusal end
local priority, front_score = fields_of(id, 'priority', 'front_score')
if front_score or number(priority) ~= tonumber(arg.priority) then
  dequeue(id)
  move(id, tonumber(arg.priority))
  place(id)
end
return remember(arg.token, ok(task_of(id)))
