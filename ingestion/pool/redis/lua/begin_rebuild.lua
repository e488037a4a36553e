-- Begin rebuild: from here on no script that means an epoch works on this state, and the rebuild
-- that holds ``token`` is the only one that may write. What it puts back stands by this order rule.
--
-- UNGUARDED it repairs what the guard refuses
-- KEYS  config(hash)
-- ARGV  token aging(JSON: see pool/order_rule.py) installation(id, '' = none yet) owner
-- ARGV  takes_over('1' = also what belongs to another installation)
-- OK
-- ERR   OTHER_INSTALLATION
-- @include installation
-- @include answer
local other = arg.takes_over ~= '1' and other_owner()
if other then return refuse('OTHER_INSTALLATION', other) end
if redis.call('TYPE', key.config).ok ~= 'hash' then redis.call('DEL', key.config) end
redis.call('HDEL', key.config, 'epoch', 'run_id', 'rescored_until')
redis.call('HSET', key.config, 'rebuild', arg.token, 'priority_aging', arg.aging)
take_possession()
return ok()
