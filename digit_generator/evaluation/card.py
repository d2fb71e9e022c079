"""A card in words: Markdown from a card's JSON. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

from digit_generator.evaluation import protocol
from digit_generator.evaluation.measures.asked_for import wilson_interval

_MISSING = "–"
Rows = Mapping[str, Sequence[Mapping[str, Any]]]
Card = Mapping[str, Any]


@dataclass(frozen=True)
class Measure:
    """One figure of the card: where it stands in a row's figures, and how it is written."""

    title: str
    row: str
    path: tuple[str, ...]
    percent: bool = False
    digits: int = 3
    factor: float = 1.0
    over_real: bool = False  # taken at equal size, so that it may be divided by the real figure
    real_row: str = ""  # where the real figure stands, if in another row

    def values(self, rows: Rows | None) -> list[float]:
        """The figure for each generation; empty where the row was not measured."""
        values = []
        for figures in (rows or {}).get(self.row, []):
            found: Any = figures
            for key in self.path:
                if found is not None:
                    found = found[int(key)] if isinstance(found, list) else found.get(key)
            if found is not None:
                values.append(float(found) * self.factor)
        return values

    def images(self, rows: Rows | None) -> str:
        """How many images: "3 x 5,000 against 10,000"."""
        for figures in (rows or {}).get(self.row, [])[:1]:
            sizes = figures.get("images") or figures.get(self.path[0], {}).get("images")
            if self.path[0] == "shapes":
                sizes = figures["shape_images"]
            times = len(self.values(rows))
            text = " against ".join(f"{size:,}" for size in (sizes if isinstance(sizes, list) else [sizes]))
            return f"{times} × {text}" if times > 1 else text
        return ""

    def text(self, rows: Rows | None) -> str:
        """Mean and standard deviation over generations; "–" where not measured."""
        values = self.values(rows)
        if not values:
            return _MISSING
        unit = " %" if self.percent else ""
        spread = f" ± {stdev(values):.{self.digits}f}" if len(values) > 1 else ""
        return f"{fmean(values):.{self.digits}f}{spread}{unit}{self._interval(rows)}"

    def _interval(self, rows: Rows | None) -> str:
        """Wilson's 95 % interval over the images of all generations, where each image counts for itself."""
        if self.row not in _ROWS_OF_SHARES or self.path != ("share",):
            return ""
        figures = (rows or {}).get(self.row, [])
        images = sum(entry["images"] for entry in figures)
        right = round(sum(entry["share"] * entry["images"] for entry in figures))
        low, high = wilson_interval(right, images)
        return f" ({100 * low:.2f} to {100 * high:.2f})"

    def against_real(self, rows: Rows, real: Rows) -> str:
        """How many times the real figure, or how many points above it, where that may be said."""
        values, floor = self.values(rows), replace(self, row=self.real_row or self.row).values(real)
        if not values or not floor:
            return ""
        if self.over_real:
            return f"× {fmean(values) / fmean(floor):.{2 if self.row == 'distance' else 3}f}"
        return f"{fmean(values) - fmean(floor):+.{self.digits}f}" if self.percent else ""


_ROWS_OF_SHARES = ("asked_own", "asked_ocr", "broken_shapes", "by_eye")


def _percent(title: str, row: str, *path: str, digits: int = 2) -> Measure:
    return Measure(title, row, path, percent=True, digits=digits, factor=100)


OCR = _percent("Read as the digit asked for, OCR judge", "asked_ocr", "share")
OWN = _percent("Read as the digit asked for, own judge", "asked_own", "share")
BROKEN = _percent("Broken shapes", "broken_shapes", "share")
BY_EYE = _percent("Visibly faulty, seen by eye", "by_eye", "share", digits=1)
FID = Measure("Fréchet distance (FID)", "distance", ("equal", "fid"), over_real=True)
KID = Measure("Kernel distance (KID × 1000)", "distance", ("equal", "kid"), digits=2, factor=1000)
PRECISION, RECALL, DENSITY, COVERAGE = (
    Measure(name.capitalize(), "neighbours", ("equal", name), over_real=True)
    for name in ("precision", "recall", "density", "coverage")
)
LEARNER = _percent("Train on synthetic, test on real", "train_on_generated", "accuracy")
LEARNER_TEN = replace(
    _percent("The same with ten times as many synthetic images", "train_on_ten_times", "accuracy"),
    real_row=LEARNER.row,
)
TWO_SAMPLE = _percent("Told from real by a fresh network (50 % = cannot)", "two_sample", "accuracy", digits=1)
COPYING = _percent("Nearer to a training than to a held-out image", "copying", "share", digits=1)
PIXEL_SPREAD = Measure("Spread of pixels within a digit, over real", "diversity", ("pixel_spread", "mean"))
FEATURE_SPREAD = Measure(
    "Spread of features within a digit, over real", "diversity", ("feature_spread", "mean")
)
SHAPE_ROWS = tuple(
    Measure(f"{name.capitalize()}: distance of histograms", "diversity", ("shapes", name, "distance"))
    for name in ("thickness", "slant", "width")
)
FULL_SIZE = (
    Measure("FID at full size", "distance", ("full", "fid")),
    Measure("KID × 1000 at full size", "distance", ("full", "kid"), digits=2, factor=1000),
    *(
        Measure(f"{name.capitalize()} at full size", "neighbours", ("full", name))
        for name in ("precision", "recall", "density", "coverage")
    ),
)
EQUAL_SIZE = (FID, KID, PRECISION, RECALL, DENSITY, COVERAGE)
ALL = (
    *(OCR, OWN, BROKEN, BY_EYE, *EQUAL_SIZE, *FULL_SIZE, LEARNER, LEARNER_TEN, TWO_SAMPLE, COPYING),
    *(PIXEL_SPREAD, FEATURE_SPREAD, *SHAPE_ROWS),
)
SHORT = (
    *(TWO_SAMPLE, BROKEN, BY_EYE, OCR, OWN, FID, PRECISION, RECALL, COVERAGE),
    *(LEARNER, COPYING, PIXEL_SPREAD),
)


def with_by_eye(card: Card, seen: Mapping[str, Any]) -> Card:
    """The card with what a person saw (by_eye.py), if that was drawn by what the card was measured on."""
    drawing = card.get("drawing") or {}
    drawn_by = (card["subject"]["sha256"], drawing.get("finish"), drawing.get("choice_sha256"))
    if drawn_by != (seen["weights_sha256"], seen["finish"], seen["choice_sha256"]):
        return card
    columns = {column: {**card[column], BY_EYE.row: [seen[column]]} for column in ("generated", "real")}
    return {**card, **columns}


def warnings_of(card: Card) -> list[str]:
    """What makes figures of this card doubtful, each a sentence."""
    generated, real = card["generated"], card["real"]
    found = []
    for measure in (OCR, OWN):
        fake_values, real_values = measure.values(generated), measure.values(real)
        if fake_values and real_values and fmean(fake_values) > fmean(real_values):
            found.append(
                f"{measure.title}: {measure.text(generated)} lies above the {measure.text(real)} of real "
                "digits. That is no win: such digits are easier to read, and less varied, than real ones."
            )
    own = OWN.values(real)
    if card["against"] == "test" and own and own[0] < 100 * protocol.JUDGE_MIN_ACCURACY:
        found.append(f"The own judge reads only {own[0]:.2f} % of the real test digits.")
    for value in TWO_SAMPLE.values(real):
        if abs(value - 50) > 100 * protocol.TWO_SAMPLE_REAL_OFF:
            found.append(
                f"The two-sample test tells real from real in {value:.1f} % of cases; expected 50 ± 2 %."
            )
    for value in TWO_SAMPLE.values(card["classic"])[:1]:
        if value < 100 * protocol.TWO_SAMPLE_CLASSIC_MIN:
            found.append(
                f"The two-sample test is weak: it tells classic from real in only {value:.1f} % of cases."
            )
    return found


def table(card: Card, measures: Sequence[Measure]) -> str:
    """Measures as lines; generated, over real, raw, real, other hands and classic as columns."""
    beside = [("real", card["real"])]
    beside += [(f"`{name}`", card[name]) for name in ("raw", "validation", "classic") if card.get(name)]
    head = ["measure", "images", "generated", "against real", *(name for name, _ in beside)]
    lines = [
        [
            measure.title,
            measure.images(card["generated"]),
            measure.text(card["generated"]),
            measure.against_real(card["generated"], card["real"]),
            *(measure.text(rows) for _, rows in beside),
        ]
        for measure in measures
        if measure.values(card["generated"])
    ]
    return _markdown_table(head, lines)


def readme_table(card: Card) -> str:
    """The short table for the README."""
    columns = ("generated", "raw", "real", "classic")
    head = ["measure", "this generator", "its raw pixels", "real digits", "textbook recipe (`classic`, raw)"]
    lines = [[measure.title, *(measure.text(card.get(column)) for column in columns)] for measure in SHORT]
    return _markdown_table(head, [line for line in lines if line[1] != _MISSING])


def figures_of(card: Card, column: str) -> dict[str, str]:
    """The figures of the short table for one column, in words, by the measure's title."""
    return {measure.title: measure.text(card[column]) for measure in SHORT if measure.values(card[column])}


def markdown_from_card(card: Card, others: Sequence[Card] = ()) -> str:
    """The whole card; `others` are cards of other generators, for the comparison."""
    subject = card["subject"]
    against = {
        "test": "MNIST's 10,000 test images; the judges learned from 55,000 of the training images",
        "validation": "the last 5,000 training images; the scout learned from the other 55,000",
    }[card["against"]]
    parts = [
        f"# Quality card of {subject['name']}",
        f"Measured against {against}. SHA-256 of the file measured: `{subject['sha256']}`. "
        "Made by `python -m digit_generator.evaluation`, ruler version "
        f"{card['ruler']}{', quick' if card['quick'] else ''}, features: {card['features']}. What every "
        "figure means, every sample size and every seed: `digit_generator/evaluation/protocol.py`.",
        f"## How the digits were drawn\n{_drawing(card)}",
        *(f"**Warning.** {warning}" for warning in warnings_of(card)),
        "## Figures\n"
        "Mean ± standard deviation over generations with different seeds; for shares of single images, in "
        "brackets, the 95 % confidence interval over all of them. `real`: one random half of "
        "the real digits in the place of the generated ones, compared with the other half by the same code. "
        "Distances and shares of neighbours depend on the number of images: those without “full size” are "
        "taken at the sizes of `real` and may be divided by it (×); shares are told in points above or below "
        "it. `raw`: the same weights without finish and choice, and `classic`: the textbook recipe, raw as "
        f"well; both in {protocol.GENERATIONS_BESIDE} generation. `validation`: the last 5,000 training "
        "images, real digits by other hands than the test images; where they are told from the test images, "
        "a generator that has learned from the training images will be, too.",
        table(card, ALL),
        "## Digit by digit",
        _per_digit(card),
        "## The hand",
        _shapes(card),
        "## Pictures",
        _pictures(card),
        "## What each row costs",
        _seconds(card),
    ]
    if others:
        parts += ["## Other generators on the same ruler", _comparison(card, others)]
    return "\n\n".join(parts) + "\n"


def _drawing(card: Card) -> str:
    """How the digits of the first column came about, in words."""
    drawing = card.get("drawing")
    if drawing is None:
        return "As they came, in a file; no image was left out."
    finish = (
        f"The network's pixels were finished (version {drawing['finish']}, `digit_generator/finish.py`): "
        "enlarged to a black-and-white scan, small loose pieces dropped, and brought to 28x28 greys by "
        "MNIST's own scan rule. So the shape is the network's, and the greys are the rule's."
        if drawing["finish"]
        else "The pixels are the network's own, not finished."
    )
    choice = (
        "Every digit was drawn from the first z of its seed that the choice accepts. It rejected the first z "
        f"of {100 * drawing['first_z_refused']:.1f} % of the {drawing['seeds']:,} seeds drawn. The "
        "choice looks at the network before its last layer "
        f"(`digit_generator/choose.py`, file `{drawing['choice_sha256'][:16]}…`). It learned which digits "
        "have a broken shape, as the row below counts them, which have pieces and holes that are drawn more "
        "often than written, and which are misread by two networks that are no judges of this card. No image "
        "was looked at and left out."
        if drawing["choice_sha256"]
        else "Every digit was drawn from the first z of its seed; no z was rejected and no image left out."
    )
    refined = (
        " The weights were refined after the training: moved until the features of such digits were nearer "
        "to those of the training images (`digit_generator/evaluation/refine.py`). The networks that gave "
        "these features are no judges of this card, but the Fréchet distance and the own judge's row below "
        "are of the same kind."
        if drawing.get("refined")
        else ""
    )
    return f"{choice} {finish}{refined}"


def _per_digit(card: Card) -> str:
    lines = []
    for title, row, path, factor, digits in (
        ("Own judge, %", "asked_own", (), 100.0, 1),
        ("OCR judge, %", "asked_ocr", (), 100.0, 1),
        ("Broken shapes, %", "broken_shapes", (), 100.0, 1),
        ("Spread of pixels over real", "diversity", ("pixel_spread",), 1.0, 2),
        ("Spread of features over real", "diversity", ("feature_spread",), 1.0, 2),
    ):
        per_digit = [
            Measure(title, row, (*path, "per_digit", str(digit)), factor=factor) for digit in range(10)
        ]
        shown = [("", "generated")] + [("; real", "real")] * (row == "broken_shapes")
        for words, column in shown:
            means = [measure.values(card[column]) for measure in per_digit]
            if any(means):
                cells = (f"{fmean(values):.{digits}f}" if values else _MISSING for values in means)
                lines.append([title + words, *cells])
    return _markdown_table(["", *map(str, range(10))], lines)


def _shapes(card: Card) -> str:
    lines = []
    for name, unit in (("thickness", "pixels"), ("slant", "degrees"), ("width", "pixels")):
        cells = [
            Measure(name, "diversity", ("shapes", name, f"{source}_{figure}"), digits=2).text(
                card["generated"]
            )
            for source in ("fake", "real")
            for figure in ("mean", "deviation")
        ]
        lines.append([f"{name} ({unit})", *cells])
    head = ["", "generated: mean", "deviation", "real: mean", "deviation"]
    return _markdown_table(head, lines)


def _pictures(card: Card) -> str:
    shown = [
        ("digits.png", "Uncurated: the first sixteen of every digit, real ones beside"),
        (
            "least-liked.png",
            "What the judges like least: judge and seed, the digit asked for, what was read",
        ),
        ("shapes.png", "Thickness, slant and width, generated over real"),
    ]
    if not card["quick"]:
        shown.append(
            ("closest.png", "The ten closest pairs: generated over training image, distance in grey levels")
        )
    blind = (
        "Can you tell them apart? [Fifty generated and fifty real digits](quality/blind.png) in random "
        "order, and [the key](quality/blind-key.json)."
    )
    return "\n\n".join([*(f"{caption}:\n\n![{caption}](quality/{name})" for name, caption in shown), blind])


def _seconds(card: Card) -> str:
    names = [name for name in card["generated"] if name != BY_EYE.row]
    lines = [
        [name, *(_mean_seconds(card[column], name) for column in ("generated", "real"))] for name in names
    ]
    return _markdown_table(["row", "seconds a generation", "seconds, real (once)"], lines)


def _mean_seconds(rows: Rows, name: str) -> str:
    seconds = [figures["seconds"] for figures in rows.get(name, [])]
    return f"{fmean(seconds):.0f}" if seconds else _MISSING


def _comparison(card: Card, others: Sequence[Card]) -> str:
    """Every generator is a line. A learner stands beside as many real images as there were generated ones."""
    measured = [
        ("real digits", card["real"], card["real"]),
        (card["subject"]["name"], card["generated"], card["real"]),
    ]
    if card["classic"]:
        measured.append(("`classic`", card["classic"], card["real"]))
    measured += [(other["subject"]["name"], other["generated"], other["real"]) for other in others]
    lines = []
    for name, rows, real in measured:
        cells = [measure.text(rows) for measure in SHORT]
        if rows is not real:
            cells[SHORT.index(LEARNER)] += f" ({LEARNER.against_real(rows, real)})"
        lines.append([name, *cells])
    note = "In brackets: points against a learner with as many real images."
    if any(other["ruler"] != card["ruler"] for other in others):
        note += " Cards of an earlier ruler lack later rows; what they have was measured in the same way."
    return _markdown_table(["generator", *(measure.title for measure in SHORT)], lines) + "\n\n" + note


def _markdown_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
