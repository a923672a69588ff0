"""`python -m fleuve` is the `fleuve` command."""

import sys

from fleuve.cli.main import main

sys.exit(main())
