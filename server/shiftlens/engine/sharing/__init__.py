"""One engine for all windows of a user: its place, its host, joining it."""
