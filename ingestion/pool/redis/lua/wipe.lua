-- Wipe: delete what a rebuild makes again.
--
-- UNGUARDED it belongs to a rebuild
-- KEYS  config(hash) everything(any*)
-- ARGV  token names(JSON: list of what follows ``everything`` in a key)
-- OK    number
-- ERR   STATE_LOST
-- @include rebuild
if is_overtaken() then return refuse('STATE_LOST') end
local names = cjson.decode(arg.names)
for _, name in ipairs(names) do redis.call('UNLINK', key.everything .. name) end
return ok(#names)
