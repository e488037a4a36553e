-- Submit: store a task as QUEUED and give it its place. The same id again changes nothing. What it
-- would repeat is allowed, or refuses it, or takes its place (coalesce): then that task is told.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset)
-- KEYS  config(hash) stats(hash) active(zset) leases(zset) unconfirmed(zset) finished(zset)
-- KEYS  set_aside(hash)
-- ARGV  clock_offset_us(µs) order_step_us(µs) epoch_us(µs) aging_us(µs) strict_level(score)
-- ARGV  task_id(id) priority(level) fields(JSON: name to string)
-- ARGV  on_overlap(allow | coalesce | reject) parameters(digest)
-- OK    task(flat)
-- ERR   OVERLAPS
-- @include queue
-- @include order
-- @include overlap
local fields = cjson.decode(arg.fields)

local function store()
  local order = next_order()
  for name, value in pairs(fields) do
    redis.call('HSET', task_key(arg.task_id), name, value)
  end
  redis.call('HSET', task_key(arg.task_id), 'queued_at', int(order), 'revision', 1,
    'score', int(queue_score(order, tonumber(arg.priority))))
  place(arg.task_id)
  count('submitted')
end

if redis.call('EXISTS', task_key(arg.task_id)) == 1 then return ok(task_of(arg.task_id)) end
if arg.on_overlap == 'reject' then
  local other = first_overlapping(fields.crm_source, fields.sync_type)
  if other then return refuse('OVERLAPS', other) end
elseif arg.on_overlap == 'coalesce' then
  local other = absorbing(fields.crm_source, fields.sync_type, arg.parameters)
  if other then
    absorb(other, tonumber(arg.priority), number(fields.not_before))
    return ok(task_of(other))
  end
end
store()
return ok(task_of(arg.task_id))
