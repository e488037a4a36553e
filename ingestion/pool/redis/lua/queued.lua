-- Queued: a page of the QUEUED tasks in their true order, by a cursor of score and skip.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) delayed(zset) held(zset) config(hash)
-- ARGV  clock_offset_us(µs) part(ready | delayed | held) score(score, -inf = from the start)
-- ARGV  skip(number) at_most(number)
-- OK    tasks(list of id, flat) scores(list) number of all in this part
-- @include answer
-- @include rank
-- @include entries
local queues = queues_of(arg.part)
local score, skip, at_most = arg.score, tonumber(arg.skip), tonumber(arg.at_most)
if score == '-inf' then score, skip = begin_at(queues, skip) end
local tasks, scores = tasks_of(entries_from(queues, score, skip + at_most), skip, at_most)
return ok(tasks, scores, count_of(queues, '-inf', '+inf'))
