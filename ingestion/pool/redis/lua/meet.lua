-- Meet: these predecessors have completed, as the ledger has it; a QUEUED task waits for them no more.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset) active(zset) leases(zset) unconfirmed(zset) finished(zset)
-- KEYS  stats(hash) dead_letters(hash)
-- ARGV  clock_offset_us(µs) task_id(id) predecessors(JSON: list of ids)
-- OK    task(flat)
-- ERR   NOT_FOUND CONFLICT NOT_QUEUED
-- @include chains
-- @include waiting
local refusal = refuse_unless_waiting(arg.task_id, '')
if refusal then return refusal end
local before, left = linked(arg.task_id, 'after'), linked(arg.task_id, 'after')
for _, id in ipairs(cjson.decode(arg.predecessors)) do left[id] = nil end
wait_for(arg.task_id, before, left)
return ok(task_of(arg.task_id))
