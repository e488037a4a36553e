-- Submit many: ``submit`` each of several tasks in turn, all at once.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset)
-- KEYS  config(hash) stats(hash) active(zset) leases(zset) unconfirmed(zset) finished(zset)
-- KEYS  dead_letters(hash)
-- ARGV  clock_offset_us(µs)
-- ARGV  tasks(JSON: list of {id, fields, on_overlap, parameters}, as for submit)
-- OK    list of flat; of one that is refused a list of one, the id of the task that it overlaps
-- @include submitting
local found = {}
for n, task in ipairs(cjson.decode(arg.tasks)) do
  local id, other = submit(task.id, task.fields, task.on_overlap, task.parameters)
  found[n] = id and task_of(id) or { other }
end
return ok(found)
