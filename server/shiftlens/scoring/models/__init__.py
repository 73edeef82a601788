"""Loading models, adapters and tokenizers, and turning down what can't be trusted."""
