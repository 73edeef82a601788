"""The records of scores, and where they are kept. No torch: the server and the views read them."""
