"""The language server: reads analyses from a store, computes none."""
