"""Logprobs that a file holds: what they say of which token of the text, as scores of one model. No torch, no model."""
