-- Drop dead letter: forget what was set aside under an id.
--
-- KEYS  dead_letters(hash)
-- ARGV  task_id(id)
-- OK    number
-- @include answer
return ok(redis.call('HDEL', key.dead_letters, arg.task_id))
