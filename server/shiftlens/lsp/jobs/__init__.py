"""The jobs of documents: what is to be scored, what has a result, what is under way."""
