-- End rebuild: the state is whole and has its epoch; from here on scripts that mean it work on it.
--
-- UNGUARDED it belongs to a rebuild
-- KEYS  config(hash)
-- ARGV  token new_epoch(number) clock_offset_us(µs) put(JSON: name to control)
-- OK
-- ERR   STATE_LOST
-- @include rebuild
-- @include run_id
-- @include controls
-- @include change
if is_overtaken() then return refuse('STATE_LOST') end
drop_ended()
for name in pairs(in_force) do redis.call('HDEL', key.config, 'control:' .. name) end
put_controls(cjson.decode(arg.put))
redis.call('HDEL', key.config, 'rebuild')
redis.call('HSET', key.config, 'epoch', arg.new_epoch, 'run_id', run_id())
return ok()
