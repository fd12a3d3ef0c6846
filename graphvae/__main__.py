"""``python -m graphvae``."""

import sys

from graphvae.cli import main

sys.exit(main())
