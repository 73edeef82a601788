-- Waits for what Neovim shows of the talk, and writes it as JSON to said.json.
local said = {}
local row, column = 2, 11 -- "Great", from 0

local function groups()
  local found = {}
  for _, token in ipairs(vim.inspect_pos(0, row, column).semantic_tokens) do
    table.insert(found, token.opts.hl_group)
  end
  return found
end

local function look()
  said.groups = groups()
  said.hints = vim.tbl_map(function(hint) return hint.inlay_hint.label end, vim.lsp.inlay_hint.get({ bufnr = 0 }))
  said.diagnostics = vim.tbl_map(function(each)
    return { severity = vim.diagnostic.severity[each.severity], message = each.message, lnum = each.lnum, col = each.col }
  end, vim.diagnostic.get(0))
  vim.lsp.codelens.refresh({ bufnr = 0 })
  said.lenses = vim.tbl_map(function(lens) return lens.command.title end, vim.lsp.codelens.get(0))
  return #said.groups > 0 and #said.hints > 0 and #said.diagnostics > 0 and #said.lenses > 0
end

vim.wait(200000, look, 200)

said.shifted = vim.api.nvim_get_hl(0, { name = "@lsp.type.shifted" })

vim.api.nvim_win_set_cursor(0, { 1, 0 })
vim.api.nvim_feedkeys("]x", "xt", false)
vim.wait(20000, function() return vim.api.nvim_win_get_cursor(0)[1] == row + 1 end, 50)
said.cursor = vim.api.nvim_win_get_cursor(0)

vim.lsp.buf.hover()
vim.wait(20000, function() return #vim.api.nvim_list_wins() > 1 end, 50)
said.hover = ""
for _, window in ipairs(vim.api.nvim_list_wins()) do
  if vim.api.nvim_win_get_config(window).relative ~= "" then
    local lines = vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false)
    said.hover = table.concat(lines, "\n")
  end
end

vim.fn.writefile({ vim.json.encode(said) }, "said.json")
vim.cmd("qa!")
