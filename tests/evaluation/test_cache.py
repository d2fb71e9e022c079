import numpy as np

from digit_generator.evaluation import protocol
from digit_generator.evaluation.cache import Cache


def test_figures_are_computed_once_for_what_they_were_made_from(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return {"fid": 1.5}

    for _ in range(2):
        figures = Cache(tmp_path / "kept").figures(compute, "distance", "digest", 0)
        assert figures["fid"] == 1.5
        assert figures["seconds"] >= 0
    assert len(calls) == 1
    Cache(tmp_path / "kept").figures(compute, "distance", "digest", 1)
    Cache(tmp_path / "kept").figures(compute, "neighbours", "digest", 0)
    assert len(calls) == 3


def test_another_version_of_the_protocol_uses_nothing_old(tmp_path, monkeypatch):
    Cache(tmp_path).figures(lambda: {"old": 1}, "distance", "digest")
    monkeypatch.setattr(protocol, "VERSION", protocol.VERSION + 1)
    assert "new" in Cache(tmp_path).figures(lambda: {"new": 1}, "distance", "digest")


def test_what_fails_leaves_nothing_behind(tmp_path):
    cache = Cache(tmp_path)
    try:
        cache.figures(lambda: 1 / 0, "distance", "digest")
    except ZeroDivisionError:
        assert list(tmp_path.iterdir()) == []
    assert cache.figures(lambda: {"fid": 2}, "distance", "digest")["fid"] == 2


def test_arrays_come_back_as_they_were(tmp_path):
    values = {"thickness": np.array([1.5, np.nan]), "slant": np.arange(3)}
    Cache(tmp_path).arrays(lambda: values, "shapes", "digest")
    kept = Cache(tmp_path).arrays(dict, "shapes", "digest")
    assert set(kept) == set(values)
    for name, array in values.items():
        np.testing.assert_array_equal(kept[name], array)
