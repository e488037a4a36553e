-- Heartbeat: the holder renews its lease (the alive clock).
--
-- KEYS  task_family(hash*) leases(zset)
-- ARGV  clock_offset_us(µs) lease_us(µs) task_id(id) attempt(number)
-- OK    task(flat)
-- ERR   NOT_FOUND GONE
-- @include clock
-- @include holder
local refusal = refuse_unless_held(arg.task_id, arg.attempt)
if refusal then return refusal end
renew_lease(arg.task_id)
return ok(task_of(arg.task_id))
