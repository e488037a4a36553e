-- Begin rebuild: from here on no script that means an epoch works on this state, and the rebuild
-- that holds ``token`` is the only one that may write. What it puts back stands by this order rule.
--
-- UNGUARDED it repairs what the guard refuses
-- KEYS  config(hash)
-- ARGV  token aging(JSON: see pool/order_rule.py)
-- OK
-- @include answer
if redis.call('TYPE', key.config).ok ~= 'hash' then redis.call('DEL', key.config) end
redis.call('HDEL', key.config, 'epoch', 'run_id', 'rescored_until')
redis.call('HSET', key.config, 'rebuild', arg.token, 'priority_aging', arg.aging)
return ok()
