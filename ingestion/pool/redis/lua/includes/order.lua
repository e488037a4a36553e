-- Where a waiting task stands: the formula of pool/order_rule.py over the coefficients in force.
-- Nothing is done where there are none yet: the caller puts those of its settings there, once.
-- @include rule
-- @include task
if not rule then return {'ERR', 'NO_ORDER_RULE', ''} end

local function score_by(front, place_us, priority)
  if tonumber(front or '') then return tonumber(front) end
  return math.floor(number(place_us) / rule.unit_us) - rule.zero - number(priority) * rule.level
end

local function score_of(id) return score_by(fields_of(id, 'front_score', 'queued_at', 'priority')) end

-- What waits is being put into a new order: see rescore.lua.
local function is_rescoring()
  return redis.call('HEXISTS', key.config, 'rescored_until') == 1
end
