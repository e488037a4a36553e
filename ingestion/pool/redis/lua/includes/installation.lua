-- Whose state this is, see PoolKeys.config. One without an id is nobody's yet.
local function kept_id() return redis.pcall('HGET', key.config, 'installation') end

-- To which other installation it belongs: the key, and what is told of that one.
local function other_owner()
  local kept = kept_id()
  if type(kept) ~= 'string' or kept == arg.installation then return end
  return key.config .. ' ' .. (redis.call('HGET', key.config, 'owner') or kept)
end

local function take_possession()
  if arg.installation == '' then return end
  redis.call('HSET', key.config, 'installation', arg.installation, 'owner', arg.owner)
end
