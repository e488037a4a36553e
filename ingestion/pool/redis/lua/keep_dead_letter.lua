-- Keep dead letter: note an entry of an older version that cannot be read, where an operator sees it.
--
-- KEYS  dead_letters(hash) stats(hash)
-- ARGV  task_id(id) entry(JSON of reason and stored)
-- OK
-- @include answer
-- @include stats
if redis.call('HSETNX', key.dead_letters, arg.task_id, arg.entry) == 1 then count('dead_letters') end
return ok()
