-- Take legacy: move what an older version kept as one string out of the way of the structures of
-- today. What is moved waits as pending until it is imported, so a crash in between loses nothing.
--
-- UNGUARDED a state of today cannot be whole before
-- KEYS  active(string of old, else zset) queues(string of old, else set)
-- KEYS  stats(string of old, else hash) legacy_family(string*) config(hash)
-- ARGV  installation(id, '' = none yet) owner takes_over('1' = also of another installation)
-- OK    pending(list of name, stored)
-- ERR   OTHER_INSTALLATION
-- @include installation
-- @include answer
local other = arg.takes_over ~= '1' and other_owner()
if other then return refuse('OTHER_INSTALLATION', other) end
local pending = {}
for _, name in ipairs({'active', 'queues', 'stats'}) do
  local kept = key.legacy_family .. 'pending:' .. name
  if redis.call('TYPE', key[name]).ok == 'string' then redis.call('RENAME', key[name], kept) end
  local stored = redis.call('GET', kept)
  if stored then pending[#pending + 1] = {name, stored} end
end
return ok(pending)
