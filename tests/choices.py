"""Choice files of random heads."""

from __future__ import annotations

import numpy as np

from digit_generator import DigitGenerator
from digit_generator.choose import Choice, bytes_from_choice


def make_choice_file(generator: DigitGenerator, refused: float = 0.33, *, positions: bool = True) -> bytes:
    """A choice file of a random head that refuses about this share of the generator's z, and up to half as
    much again where it is neater. Without `positions`, as such files were before there were any.
    """
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
    shares = [min(0.97, refused * (1 + neat / 8)) for neat in range(5)]
    bounds = [
        {"digit_bound": np.quantile(scores, share), "hand_bound": np.quantile(scores, 0.02 + 0.02 * neat)}
        for neat, share in enumerate(shares)
    ]
    costs = {"fid": 0.2, "recall": 0.9, "broken": 0.02}
    record |= bounds[0]
    if positions:
        told = zip(shares, bounds, strict=True)
        record |= {
            "neat": [{"rejected": share, "hands_rejected": 0.5} | each | costs for share, each in told]
        }
    return bytes_from_choice(arrays, record)
