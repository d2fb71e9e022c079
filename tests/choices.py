"""Choice files of random heads."""

from __future__ import annotations

import numpy as np

from digit_generator import DigitGenerator
from digit_generator.choose import Choice, bytes_from_choice


def make_choice_file(generator: DigitGenerator, refused: float = 0.33) -> bytes:
    """A choice file of a random head that refuses about this share of the generator's z."""
    rng = np.random.RandomState(1)
    hidden_weight = rng.standard_normal((64, 1024)) / 32
    z, labels = rng.standard_normal((2000, 100)), np.arange(2000) % 10
    hidden = generator.hidden(z, generator.label_emb[labels])
    arrays = {
        "hidden.weight": hidden_weight / hidden.std(),
        "label.weight": 0.3 * rng.standard_normal((10, 64)),
        "score.weight": rng.standard_normal(64) / 8,
        "score.bias": np.zeros(1),
    }
    record = {"weights_sha256": generator.digest, "digit_bound": 0.0, "hand_bound": 0.0}
    scores = Choice(bytes_from_choice(arrays, record), generator.digest).scores(hidden, labels)
    record |= {"digit_bound": np.quantile(scores, refused), "hand_bound": np.quantile(scores, 0.02)}
    return bytes_from_choice(arrays, record)
