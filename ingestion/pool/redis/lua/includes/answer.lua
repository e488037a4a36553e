-- Every script answers {'OK', broken, ...} or {'ERR', code, detail}. ``broken`` lists id, reason
-- of the tasks that this call has set aside.
local broken = {}

local function ok(...) return {'OK', broken, ...} end

local function refuse(code, detail) return {'ERR', code, detail or ''} end
