-- Set aside: take a task that cannot be read out of the pool; see includes/set_aside.lua.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset)
-- KEYS  active(zset) leases(zset) unconfirmed(zset) finished(zset) stats(hash) set_aside(hash)
-- ARGV  task_id(id) reason
-- OK
-- @include set_aside
set_aside(arg.task_id, arg.reason)
return ok()
