"""Python runs this at the start of each process that tests start: where it is to be one of ours, see `warm_start`."""

import sys

if sys.orig_argv[1:2] == ["-m"] and sys.orig_argv[2] in ("shiftlens.engine", "shiftlens.lsp"):
    import warm_start

    warm_start.become(sys.orig_argv[2], sys.orig_argv[3:])
