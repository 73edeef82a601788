"""From hidden states to numbers: heads in tiles, ranks, logprobs, entropy, KL, and the records of them."""
