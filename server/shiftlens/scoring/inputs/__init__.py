"""What each model is fed: chat templates, contexts, tokens and their bytes."""
