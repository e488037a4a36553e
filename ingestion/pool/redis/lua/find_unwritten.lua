-- Find unwritten: of these tasks, as the ledger has them, those that have ended or gone back to the
-- queue since.
--
-- UNGUARDED it asks what is left of a state before a rebuild
-- KEYS  task_family(hash*) config(hash)
-- ARGV  known(JSON: list of id, status, attempt)
-- OK    tasks(list of flat) epoch(number, '' = none)
-- @include answer
-- @include task
local tasks = {}
for _, known in ipairs(cjson.decode(arg.known)) do
  local id, status, attempt = unpack(known)
  local stored, tried = fields_of(id, 'status', 'attempt')
  local differs = stored ~= status or number(tried) ~= attempt
  if stored and stored ~= 'running' and differs then tasks[#tasks + 1] = task_of(id) end
end
local epoch = redis.pcall('HGET', key.config, 'epoch')
return ok(tasks, type(epoch) == 'string' and epoch or '')
