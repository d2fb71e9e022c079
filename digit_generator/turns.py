"""Turns: which work of a server is done next, and which is refused at once.

There is a lane for quick work and one for slow work, told apart by what a request says beforehand: so quick
work never stands behind slow. Each lane has one thread and a bounded number of places. Digits that are wanted
at the same time are drawn in one batch, and the last answers are kept. And what a server does about
connections that never end.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from digit_generator.generate import DigitGenerator

QUICK = 20.0
"""Milliseconds, as the request lets expect them, from which on work is slow."""

MOST_TOGETHER = 100
"""Digits drawn in one batch for several who wait. A request for more is drawn alone."""

_WATCH_AFTER = 0.05  # seconds: most answers are there by then, and nobody needs to look who has left


class FullError(Exception):
    """All places of a lane are taken."""

    def __init__(self, retry_after: int) -> None:
        """`retry_after`: the seconds after which there may be a place again."""
        super().__init__(f"all places are taken: try again in {retry_after} s")
        self.retry_after: Final = retry_after


class GoneError(Exception):
    """Nobody waits for the answer any more."""


class Lane:
    """One thread, and `places` for work that it does or that waits for it."""

    def __init__(self, places: int, retry_after: int) -> None:
        self.places: Final = places
        self._retry_after = retry_after
        self._free = threading.BoundedSemaphore(places)
        self._thread = ThreadPoolExecutor(1)

    async def done(
        self, work: Callable[[], bytes], seconds: float, gone: Callable[[], Coroutine[Any, Any, None]]
    ) -> bytes:
        """What `work` gives. FullError at once if no place is free; TimeoutError after `seconds`.

        GoneError when `gone()` is over before. Work that nobody waits for is not begun. Work that is begun
        keeps its place until it is over, so that no more is done at a time than the lane has threads.
        """
        if not self._free.acquire(blocking=False):
            raise FullError(self._retry_after)
        begun: Future[bytes] = self._thread.submit(work)
        begun.add_done_callback(lambda _: self._free.release())
        answer = asyncio.wrap_future(begun)
        try:
            await asyncio.wait({answer}, timeout=min(_WATCH_AFTER, seconds))
            if not answer.done():
                left = asyncio.create_task(gone())
                try:
                    either: set[asyncio.Future[Any]] = {answer, left}
                    await asyncio.wait(
                        either,
                        timeout=max(seconds - _WATCH_AFTER, 0),
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    if left.done() and not answer.done():
                        raise GoneError
                finally:
                    left.cancel()
            if not answer.done():
                raise TimeoutError
            return answer.result()
        finally:
            answer.cancel()  # drops what is not begun


class Kept:
    """The answers that were asked for last, of at most `most` bytes. For one thread, as an event loop has."""

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._size = 0
        self._kept: dict[Hashable, bytes] = {}  # who was asked for last comes last

    def get(self, key: Hashable) -> bytes | None:
        answer = self._kept.pop(key, None)
        if answer is not None:
            self._kept[key] = answer
        return answer

    def keep(self, key: Hashable, answer: bytes) -> None:
        self._size += len(answer) - len(self._kept.pop(key, b""))
        self._kept[key] = answer
        while self._size > self._most:
            self._size -= len(self._kept.pop(next(iter(self._kept))))


class Together:
    """Digits for all who wait at the same time, in one batch, which takes less time than one by one.

    Whoever's turn it is draws for the others, too. No thread of its own; serves any number of threads.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._waiting: dict[Asked, None] = {}  # in the order in which they came
        self._list = threading.Lock()

    def ask(self, generator: DigitGenerator, digit: int, seeds: Sequence[int]) -> Asked:
        """Want `generator.digits(digit, seeds)`. Nothing is drawn yet."""
        asked = Asked(self, generator, digit, seeds)
        with self._list:
            self._waiting[asked] = None
        return asked

    def drop(self, asked: Asked) -> None:
        """Not wanted any more: it is not drawn, if it is not yet."""
        with self._list:
            self._waiting.pop(asked, None)

    def draw(self, asked: Asked) -> None:
        """Draw for one, and for those who wait for the same generator. Raises what drawing raises."""
        with self._turn:
            if asked.drawn is not None:
                return
            batch = self._taken(asked)
            labels = [each.digit for each in batch for _ in each.seeds]
            try:
                pixels = asked.generator.digits(labels, [seed for each in batch for seed in each.seeds])
            except Exception:  # it may be another's mistake; the others draw for themselves
                batch, pixels = [asked], asked.generator.digits(asked.digit, asked.seeds)
            for each in batch:
                each.drawn, pixels = pixels[: len(each.seeds)], pixels[len(each.seeds) :]

    def _taken(self, first: Asked) -> list[Asked]:
        """`first`, and others that there is room for, off the list."""
        batch, room = [first], MOST_TOGETHER - len(first.seeds)
        with self._list:
            self._waiting.pop(first, None)
            for each in [*self._waiting]:
                if each.generator is first.generator and len(each.seeds) <= room:
                    batch.append(each)
                    room -= len(each.seeds)
                    del self._waiting[each]
        return batch


@dataclass(eq=False)
class Asked:
    """Digits that somebody waits for; `drawn` when they are there, uint8 [B, 28, 28]."""

    together: Together
    generator: DigitGenerator
    digit: int
    seeds: Sequence[int]
    drawn: npt.NDArray[np.uint8] | None = None

    def pixels(self) -> npt.NDArray[np.uint8]:
        """Wait until they are drawn, or draw them. Raises what DigitGenerator.digits raises."""
        self.together.draw(self)
        assert self.drawn is not None
        return self.drawn


drawing = Together()
"""For the pages and the API, which may be one process."""


class SaidOnce(logging.Filter):
    """Lets each message of a logger through once in `seconds`."""

    def __init__(self, seconds: float = 60) -> None:
        super().__init__()
        self._seconds = seconds
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, message = time.monotonic(), str(record.msg)
        if now - self._said.get(message, -self._seconds) < self._seconds:
            return False
        self._said[message] = now
        return True


_said_once = SaidOnce()


def bear_many_connections() -> None:
    """Half-open connections hold a descriptor each: take as many as the system gives, and say that there is
    none left once a minute, where asyncio says so without end. It can be called again and again.
    """
    raise_descriptors()
    logging.getLogger("asyncio").addFilter(_said_once)


def raise_descriptors() -> None:
    """Let this process open as many files and connections as the system lets it: Linux begins with 1,024."""
    try:
        import resource  # not on Windows
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS names a limit that it does not give
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
