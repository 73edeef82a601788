"""The language server: handlers, session, settings as the client gives them."""
