-- Submit many: ``submit`` each of several tasks in turn, all at once.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset)
-- KEYS  config(hash) stats(hash) active(zset) leases(zset) unconfirmed(zset) finished(zset)
-- KEYS  dead_letters(hash)
-- ARGV  clock_offset_us(µs)
-- ARGV  tasks(JSON: list of {id, fields, on_overlap, parameters}, as for submit)
-- ARGV  are_placed('1' or '': queued_at is the place that the ledger has given)
-- OK    list of flat, no more than the place of what was stored just now; of one that is refused a list
-- OK    of one, the id of the task that it overlaps
-- @include submitting
local found = {}
for n, task in ipairs(cjson.decode(arg.tasks)) do
  local given_us = arg.are_placed == '1' and tonumber(task.fields.queued_at) or nil
  local id, other, place_us = submit(task.id, task.fields, task.on_overlap, task.parameters, given_us)
  found[n] = place_us and { 'queued_at', place_us } or id and task_of(id) or { other }
end
return ok(found)
