"""Which pair of models, what each is given before the response, and the ids and byte spans of the response."""
