-- Admit: ``submit``, with whatever overlap, and then ``claim``, all at once.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset)
-- KEYS  active(zset) leases(zset) unconfirmed(zset) finished(zset) config(hash) stats(hash)
-- KEYS  workers(zset) worker_capacity(hash) worker_tasks(hash) dead_letters(hash)
-- KEYS  operation_family(string*)
-- ARGV  clock_offset_us(µs) answer_seconds(s) worker_ttl_us(µs) default_max_workers(number)
-- ARGV  dispatch_us(µs) task_id(id) fields(JSON: name to string) token
-- OK    task(flat) started(list of flat)
-- @include operation
-- @include submitting
-- @include claim_free_slots
-- Kept is only what may not be done twice: the same id is stored once, whatever is answered.
local earlier = recall(arg.token)
if earlier then return earlier end
local fields = cjson.decode(arg.fields)
submit(arg.task_id, fields, 'allow', '', tonumber(fields.queued_at))
local started = claim_free_slots()
local answer = ok(task_of(arg.task_id), started)
return #started > 0 and remember(arg.token, answer) or answer
