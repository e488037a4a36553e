-- Begin rebuild: from here on no script that means an epoch works on this state, and the rebuild
-- that holds ``token`` is the only one that may write.
--
-- UNGUARDED it is the cure
-- KEYS  config(hash)
-- ARGV  token
-- OK
-- @include answer
if redis.call('TYPE', key.config).ok ~= 'hash' then redis.call('DEL', key.config) end
redis.call('HDEL', key.config, 'epoch', 'run_id')
redis.call('HSET', key.config, 'rebuild', arg.token)
return ok()
