"""The reading view: any file of conversations as one page of turns, with the way back to the file."""
