"""From a named file to its analysis: read, score what no store holds, classify. The terminal and Python share it."""
