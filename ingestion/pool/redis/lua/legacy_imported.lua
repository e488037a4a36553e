-- Legacy imported: keep the old form a while for an operator, out of the import's sight.
--
-- KEYS  legacy_family(string*)
-- ARGV  name keep_legacy_seconds(s)
-- OK
-- @include answer
local pending = key.legacy_family .. 'pending:' .. arg.name
if redis.call('EXISTS', pending) == 1 then
  local kept = key.legacy_family .. 'imported:' .. arg.name
  redis.call('RENAME', pending, kept)
  redis.call('EXPIRE', kept, arg.keep_legacy_seconds)
end
return ok()
