"""What the server says to the editor and asks of it."""
