"""Chat templates of models on this machine, asked what they write around turns. No torch: views read texts by it."""
