-- Dead letter: take a task that cannot be read out of the pool; see includes/dead_letter.lua.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset)
-- KEYS  active(zset) leases(zset) unconfirmed(zset) finished(zset) stats(hash) dead_letters(hash)
-- ARGV  task_id(id) reason
-- OK
-- @include dead_letter
dead_letter(arg.task_id, arg.reason)
return ok()
