"""`python -m portico`: the command `portico` where the first word is one of its commands, else a drop-in for
`python -m http.server`."""

import sys

from portico.cli.main import main_module

if __name__ == "__main__":
    sys.exit(main_module(sys.argv[1:]))
