-- Put back: tasks as the ledger knows them. QUEUED ones take the place given with them, RUNNING
-- ones hold their slot with a new lease or wait to be sent again at once, ended ones are retained.
--
-- UNGUARDED it belongs to a rebuild
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset)
-- KEYS  config(hash) stats(hash) active(zset) leases(zset) unconfirmed(zset) finished(zset)
-- KEYS  dead_letters(hash)
-- ARGV  clock_offset_us(µs) lease_us(µs) retention_ms(ms) epoch(number) token
-- ARGV  tasks(JSON: list of objects, name to string)
-- OK    number
-- ERR   STATE_LOST
-- @include rebuild
-- @include queue
-- @include placing
local put_in = {queued = place, running = hold}

if is_overtaken() then return refuse('STATE_LOST') end
local tasks, last = cjson.decode(arg.tasks), number(redis.call('HGET', key.config, 'last_order_us'))
for _, fields in ipairs(tasks) do
  local flat = {}
  for name, value in pairs(fields) do flat[#flat + 1], flat[#flat + 2] = name, value end
  redis.call('HSET', task_key(fields.id), unpack(flat))
  local put = put_in[fields.status] or retain
  put(fields.id)
  last = math.max(last, number(fields.queued_at))
end
redis.call('HSET', key.config, 'last_order_us', int(last))
return ok(#tasks)
