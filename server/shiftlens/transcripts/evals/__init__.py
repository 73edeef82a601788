"""One module for each format in which evaluations and model servers keep what models wrote."""
