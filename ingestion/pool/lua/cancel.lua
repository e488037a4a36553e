-- Cancel: a QUEUED or unconfirmed task is CANCELLED and its slot free; one that a worker holds is
-- asked to stop, once.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  active(zset) leases(zset) unconfirmed(zset) finished(zset) stats(hash) set_aside(hash)
-- ARGV  clock_offset_us(µs) retention_ms(ms) task_id(id) reason token
-- OK    task(flat)
-- ERR   NOT_FOUND ALREADY_FINISHED
-- @include ending
local status, confirmed_at, cancel, ended_by = fields_of(arg.task_id,
  'status', 'confirmed_at', 'cancel_requested_at', 'finish_token')
if not status then return refuse('NOT_FOUND') end
if is_final(status) then
  return ended_by == arg.token and ok(task_of(arg.task_id)) or refuse('ALREADY_FINISHED')
end
if not confirmed_at then
  dequeue(arg.task_id)
  end_task(arg.task_id, 'cancelled', arg.reason, arg.token)
elseif not cancel then
  redis.call('HSET', task_key(arg.task_id), 'cancel_requested_at', int(now))
  set_message(arg.task_id, arg.reason)
end
return ok(task_of(arg.task_id))
