-- What waited for a task that has completed waits for it no more.
-- @include chains
local function release_followers(id)
  for follower in pairs(linked(id, 'followers')) do
    if is_readable(follower) then
      local before, left = linked(follower, 'after'), linked(follower, 'after')
      left[id] = nil
      wait_for(follower, before, left)
    end
  end
end
