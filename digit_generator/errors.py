"""What all errors of the package have in common."""

from __future__ import annotations


class DigitGeneratorError(ValueError):
    """What a caller can mend. The message is one sentence for a person, without its full stop."""
