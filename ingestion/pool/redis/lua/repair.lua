-- Repair: a task stands where its own status says, and nowhere else. A RUNNING one holds its
-- slot with a lease that begins now, or is sent again at once.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset)
-- KEYS  active(zset) leases(zset) unconfirmed(zset) finished(zset) stats(hash) dead_letters(hash)
-- ARGV  clock_offset_us(µs) lease_us(µs) retention_ms(ms) task_id(id)
-- OK    task(flat)
-- ERR   NOT_FOUND UNREADABLE
-- @include queue
-- @include placing
local id = arg.task_id
local status, crm = fields_of(id, 'status', 'crm_source')
if not status then return refuse('NOT_FOUND') end
if not crm or (status == 'queued' and not is_readable(id)) then
  dead_letter(id, 'a task cannot be read')
  return refuse('UNREADABLE')
end
dequeue(id)
for _, set in ipairs({'active', 'leases', 'unconfirmed', 'finished'}) do
  redis.call('ZREM', key[set], id)
end
local put = ({queued = place, running = hold})[status] or retain
put(id)
return ok(task_of(id))
