"""From token ids to columns of numbers: logprob, rank, entropy, top-k and KL at every position."""
