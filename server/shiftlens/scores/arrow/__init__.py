"""The part of the Arrow IPC file format that sidecars need, written and read in Python.

The reader gets files of anybody. Libraries in C end the process with a segmentation fault on some damaged files, which
would take the language server down; here a damaged file is an exception.
"""
