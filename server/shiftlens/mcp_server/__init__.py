"""Evidence for agents: the tools of `shiftlens mcp`, over the model context protocol."""
