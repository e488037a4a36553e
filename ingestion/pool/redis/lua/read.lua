-- Read: tasks as they stand, at one moment. Unknown ids give an empty list.
--
-- KEYS  task_family(hash*)
-- ARGV  ids(JSON: list)
-- OK    tasks(list of flat)
-- @include answer
-- @include task
local tasks = {}
for i, id in ipairs(cjson.decode(arg.ids)) do tasks[i] = task_of(id) end
return ok(tasks)
