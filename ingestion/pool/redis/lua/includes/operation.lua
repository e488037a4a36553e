-- The answer to an operation token, kept for a client that lost the reply and calls again.
local function recall(token)
  local kept = redis.call('GET', key.operation_family .. token)
  return kept and cjson.decode(kept)
end

local function remember(token, answer)
  redis.call('SET', key.operation_family .. token, cjson.encode(answer), 'EX', arg.answer_seconds)
  return answer
end
