-- Drop aside: forget what was set aside under an id.
--
-- KEYS  set_aside(hash)
-- ARGV  task_id(id)
-- OK    number
-- @include answer
return ok(redis.call('HDEL', key.set_aside, arg.task_id))
