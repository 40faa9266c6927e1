"""``python -m ophtimus_edge``: what the launcher of an installation starts."""

import sys

from ophtimus_edge.cli import main

if __name__ == "__main__":
    sys.exit(main())
