"""The jobs of documents: what is to be scored, what is known, what is under way."""
