"""The engine process: jobs that take turns, the models that it holds."""
