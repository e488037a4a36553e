-- Queue page: the QUEUED tasks of one part that stand behind a place, in their true order.
--
-- KEYS  task_family(hash*) queues(set) queue_family(zset*) delayed(zset) held(zset) config(hash)
-- ARGV  part(ready | delayed | held) at_most(number)
-- ARGV  score(score, '' = from the start) queued_us(µs) task_id(id)
-- OK    tasks(list of id, flat) scores(list) queued_us(µs, of the last one)
-- @include answer
-- @include parts
-- @include entries
local queues, is_ready, at_most = queues_of(arg.part), arg.part == 'ready', tonumber(arg.at_most)

local function is_behind(place, entry)
  if entry.score ~= place.score then return entry.score > place.score end
  if is_ready then return comes_first(place, entry) end
  return entry.id > place.id
end

local function entries_behind(place)
  local same = count_of(queues, arg.score, arg.score)
  local skip, found = 0, entries_from(queues, arg.score, same + at_most)
  while found[skip + 1] and not is_behind(place, found[skip + 1]) do skip = skip + 1 end
  return found, skip
end

local function entries_and_skip()
  if arg.score == '' then return entries_from(queues, '-inf', at_most), 0 end
  return entries_behind({id = arg.task_id, score = tonumber(arg.score),
    remainder = tonumber(arg.queued_us) % unit_us})
end

local entries, skip = entries_and_skip()
local tasks, scores = tasks_of(entries, skip, at_most)
local last = #tasks > 0 and fields_of(tasks[#tasks][1], 'queued_at')
return ok(tasks, scores, last or 0)
