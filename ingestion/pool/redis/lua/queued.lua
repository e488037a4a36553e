-- Queued: a page of the QUEUED tasks in their true order, by a cursor of score and skip.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) waiting(zset) delayed(zset)
-- KEYS  held(zset)
-- ARGV  part(ready | delayed | held) score(score, -inf = from the start) skip(number) at_most(number)
-- OK    tasks(list of id, flat) scores(list) number of all in this part
-- @include answer
-- @include queue_page
local is_ready = arg.part == 'ready'
local rest = arg.part == 'held' and key.held or key.delayed
local queues = is_ready and ready_queues() or {rest}
local tasks, scores = page(queues, arg.score, tonumber(arg.skip), tonumber(arg.at_most))
return ok(tasks, scores, redis.call('ZCARD', is_ready and key.waiting or rest))
