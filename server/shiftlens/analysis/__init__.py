"""From columns of numbers to what a reader sees: a class per token, distances, summaries."""
