"""Models in memory: each loaded once and kept while it fits, and pairs opened as views of two of them."""
