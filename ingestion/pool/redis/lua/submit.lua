-- Submit: store a task as QUEUED and give it its place. The same id again changes nothing. What it
-- would repeat is allowed, or refuses it, or takes its place (coalesce): then that task is told.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset)
-- KEYS  config(hash) stats(hash) active(zset) leases(zset) unconfirmed(zset) finished(zset)
-- KEYS  dead_letters(hash)
-- ARGV  clock_offset_us(µs) task_id(id) fields(JSON: name to string)
-- ARGV  on_overlap(allow | coalesce | reject) parameters(short digest)
-- OK    task(flat)
-- ERR   OVERLAPS
-- @include submitting
local id, other = submit(arg.task_id, cjson.decode(arg.fields), arg.on_overlap, arg.parameters)
if not id then return refuse('OVERLAPS', other) end
return ok(task_of(id))
