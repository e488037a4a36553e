-- The coefficients of the order rule in force, see pool/order_rule.py; nothing where there are none.
local function order_rule()
  local stored = redis.call('HGET', key.config, 'priority_aging')
  local is_json, found = pcall(cjson.decode, stored or '')
  return is_json and type(found) == 'table' and tonumber(found.unit_us) and found
end

local rule = order_rule()
