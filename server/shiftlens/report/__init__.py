"""Analyses as files (one HTML page that needs nothing else, a site, tables), and as text."""
