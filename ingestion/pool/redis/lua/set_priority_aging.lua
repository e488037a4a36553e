-- Set priority aging: from here on places follow this order rule. Only a later revision changes
-- anything, or the coefficients of a later formula, which a new release brings. What waits is put into
-- the new order by ``rescore``, and nothing starts before. Revision 0 of the same formula is the rule
-- by which what waits was placed already.
--
-- KEYS  config(hash) waiting(zset)
-- ARGV  aging(JSON: see pool/order_rule.py)
-- OK    config(flat)
-- @include answer
local is_json, kept = pcall(cjson.decode, redis.call('HGET', key.config, 'priority_aging') or '')
local is_known = is_json and type(kept) == 'table' and tonumber(kept.revision)
local given = cjson.decode(arg.aging)
local new = tonumber(given.revision)
-- An older release wrote no formula: it was the first.
local is_later_formula = is_known and new >= is_known
  and tonumber(given.formula) > (tonumber(kept.formula or 1) or 1)
if not is_known or new > is_known or is_later_formula then
  redis.call('HSET', key.config, 'priority_aging', arg.aging)
  if (new > 0 or is_later_formula) and redis.call('ZCARD', key.waiting) > 0 then
    redis.call('HSET', key.config, 'rescored_until', '-inf')
  end
end
return ok(redis.call('HGETALL', key.config))
