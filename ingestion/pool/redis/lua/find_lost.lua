-- Find lost: the tasks of one page of a set of waiting ones whose hash is gone.
--
-- KEYS  task_family(hash*) waiting(zset) delayed(zset) held(zset)
-- ARGV  part(waiting | delayed | held) offset(number) at_most(number)
-- OK    lost(list of ids) looked_at(number)
-- @include answer
-- @include task
local first = tonumber(arg.offset)
local ids = redis.call('ZRANGE', key[arg.part], first, first + tonumber(arg.at_most) - 1)
local lost = {}
for _, id in ipairs(ids) do
  if redis.call('EXISTS', task_key(id)) == 0 then lost[#lost + 1] = id end
end
return ok(lost, #ids)
