-- Rescore: give the next tasks that wait in a queue their place by the order rule in force, in the
-- order of their submission. What enters a queue meanwhile is placed by that rule already. When all
-- have their place, tasks may start again. Whoever calls goes on where the last one stopped.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset) overlaps(zset) active(zset) leases(zset) unconfirmed(zset) finished(zset)
-- KEYS  config(hash) stats(hash) dead_letters(hash)
-- ARGV  clock_offset_us(µs) at_most(number)
-- OK    '1' while more are left, else ''
-- @include queue
local function put(id)
  if is_readable(id) then enqueue(id) else dead_letter(id, 'a queued task cannot be read') end
end

if not is_rescoring() then return ok('') end
local from = redis.call('HGET', key.config, 'rescored_until')
local page = redis.call('ZRANGEBYSCORE', key.waiting, from, '+inf', 'WITHSCORES',
  'LIMIT', 0, arg.at_most)
local last = page[#page]
for i = 1, #page, 2 do put(page[i]) end
if #page < 2 * tonumber(arg.at_most) then
  redis.call('HDEL', key.config, 'rescored_until')
  return ok('')
end
-- Those submitted in the same microsecond as the last one belong to this page too.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key.waiting, last, last)) do put(id) end
redis.call('HSET', key.config, 'rescored_until', '(' .. last)
return ok('1')
