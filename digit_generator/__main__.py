"""`python -m digit_generator` and the installed command `digit-generator`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    # Before NumPy is imported: on a small busy host a second BLAS thread makes five images 100 times slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from digit_generator.cli import run
    from digit_generator.cli.options import replace_unprintable

    replace_unprintable()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
