-- Set priority aging: from here on places follow this order rule; only a later revision changes
-- anything. What waits is put into the new order by ``rescore``, and nothing starts before. Revision
-- 0 is the rule by which what waits was placed already.
--
-- KEYS  config(hash) waiting(zset)
-- ARGV  aging(JSON: see pool/order_rule.py)
-- OK    config(flat)
-- @include answer
local is_json, kept = pcall(cjson.decode, redis.call('HGET', key.config, 'priority_aging') or '')
local is_known = is_json and type(kept) == 'table' and tonumber(kept.revision)
local new = tonumber(cjson.decode(arg.aging).revision)
if not is_known or new > is_known then
  redis.call('HSET', key.config, 'priority_aging', arg.aging)
  if new > 0 and redis.call('ZCARD', key.waiting) > 0 then
    redis.call('HSET', key.config, 'rescored_until', '-inf')
  end
end
return ok(redis.call('HGETALL', key.config))
