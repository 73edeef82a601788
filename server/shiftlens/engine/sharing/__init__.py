"""One engine for all windows of a user: its endpoint, its host, joining it."""
