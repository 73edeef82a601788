"""What an editor shows of an analysis: semantic tokens, hovers, answers to the extension."""
