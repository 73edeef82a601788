"""The process that loads the models and scores, and the light client that talks to it."""
