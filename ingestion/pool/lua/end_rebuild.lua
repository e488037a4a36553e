-- End rebuild: the state is whole and has its epoch; from here on scripts that mean it work on it.
--
-- UNGUARDED it belongs to a rebuild
-- KEYS  config(hash)
-- ARGV  token new_epoch(number) max_workers(number, '' = default) by(name) at(µs) reason
-- OK
-- ERR   STATE_LOST
-- @include rebuild
-- @include run_id
if is_overtaken() then return refuse('STATE_LOST') end
redis.call('HDEL', key.config, 'max_workers', 'limit_set_by', 'limit_set_at', 'limit_reason')
if arg.max_workers ~= '' then
  redis.call('HSET', key.config, 'max_workers', arg.max_workers, 'limit_set_by', arg.by,
    'limit_set_at', arg.at, 'limit_reason', arg.reason)
end
redis.call('HDEL', key.config, 'rebuild')
redis.call('HSET', key.config, 'epoch', arg.new_epoch, 'run_id', run_id())
return ok()
