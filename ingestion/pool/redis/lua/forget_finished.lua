-- Forget finished: drop tasks that ended longer ago than ``max_age_us``, a bounded number.
--
-- KEYS  task_family(hash*) finished(zset)
-- ARGV  clock_offset_us(µs) max_age_us(µs)
-- OK    number
-- @include clock
-- @include answer
-- @include retention
return ok(drop_finished(int(now - tonumber(arg.max_age_us))))
