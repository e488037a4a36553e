-- Owner: refuses unless this state belongs to the caller's installation, or to none yet.
--
-- UNGUARDED it says of any state whose it is
-- KEYS  config(hash)
-- ARGV  installation(id, '' = none yet) owner
-- OK
-- ERR   OTHER_INSTALLATION
-- @include installation
-- @include answer
local other = other_owner()
if other then return refuse('OTHER_INSTALLATION', other) end
return ok()
