-- Active: the RUNNING tasks at one moment, in no certain order.
--
-- KEYS  task_family(hash*) active(zset)
-- OK    tasks(list of id, flat)
-- @include answer
-- @include listing
return ok(tasks_by_id(redis.call('ZRANGE', key.active, 0, -1)))
