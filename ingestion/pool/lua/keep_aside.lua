-- Keep aside: note an entry of an older version that cannot be read, where an operator sees it.
--
-- KEYS  set_aside(hash) stats(hash)
-- ARGV  task_id(id) entry(JSON of reason and stored)
-- OK
-- @include answer
-- @include stats
if redis.call('HSETNX', key.set_aside, arg.task_id, arg.entry) == 1 then count('set_aside') end
return ok()
