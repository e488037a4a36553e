-- Submit: store a task as QUEUED and give it its place. The same id again changes nothing.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  config(hash) stats(hash) active(zset) leases(zset) unconfirmed(zset) finished(zset)
-- KEYS  set_aside(hash)
-- ARGV  clock_offset_us(µs) order_step_us(µs) epoch_us(µs) aging_us(µs) strict_level(score)
-- ARGV  task_id(id) priority(level) fields(JSON: name to string)
-- OK    task(flat)
-- @include queue
-- @include order
if redis.call('EXISTS', task_key(arg.task_id)) == 0 then
  local order = next_order()
  for name, value in pairs(cjson.decode(arg.fields)) do
    redis.call('HSET', task_key(arg.task_id), name, value)
  end
  redis.call('HSET', task_key(arg.task_id), 'queued_at', int(order),
    'score', int(queue_score(order, tonumber(arg.priority))))
  place(arg.task_id)
  count('submitted')
end
return ok(task_of(arg.task_id))
