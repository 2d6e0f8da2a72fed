-- Neovim with nvim-dap goes back from a failure, and says where it was. Not in CI: it needs both.
--
--   NVIM_DAP=~/src/nvim-dap RELIVE_FAILURE=checkout nvim --headless -u NONE -c "luafile scripts/try_neovim.lua"
local env = vim.env
vim.opt.runtimepath:prepend(env.NVIM_DAP)
local dap = require("dap")
dap.adapters.relive = { type = "executable", command = env.RELIVE or "relive", args = { "dap" } }

local function say(text)
  io.stdout:write(text .. "\n")
end
local function leave(status)
  dap.terminate()
  vim.defer_fn(function() vim.cmd(status == 0 and "qa!" or "cq") end, 1000)
end
vim.defer_fn(function() say("no answer for a minute"); leave(1) end, 60000)

local stops = 0
local plan = {
  dap.step_back,
  function() dap.set_breakpoint(); dap.step_back() end,
  dap.reverse_continue,
  dap.continue,
}
dap.listeners.after.event_stopped.relive = function(session, body)
  stops = stops + 1
  vim.defer_fn(function()
    local frame = session.current_frame
    say(("%-10s %-12s %s:%s in %s"):format(body.reason, body.description, vim.fn.bufname(), vim.fn.line("."), frame.name))
    local act = plan[stops]
    if act then
      return act()
    end
    session:request("scopes", { frameId = frame.id }, function(_, found)
      session:request("variables", { variablesReference = found.scopes[1].variablesReference }, function(_, inside)
        for _, one in ipairs(inside.variables) do
          say(("  %s = %s"):format(one.name, one.value))
        end
        leave(#inside.variables > 0 and 0 or 1)
      end)
    end)
  end, 300)
end
dap.run({
  type = "relive", request = "launch", name = "relive",
  failure = env.RELIVE_FAILURE or "last", localRoot = env.LOCAL_ROOT or vim.fn.getcwd(),
})
