"""All that computes: models, inputs, passes, numbers. Only the engine process imports this room, and torch with it."""
