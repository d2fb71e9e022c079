"""Turns: which work of a server is done next, and which is refused at once.

There is a lane for quick work and one for slow work, told apart by what a request says beforehand: so quick
work never stands behind slow. Each lane has one thread and a bounded number of places. And what a server
does about connections that never end.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

QUICK = 20.0
"""Milliseconds, as the request lets expect them, from which on work is slow."""

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


def raise_descriptors() -> None:
    """Let this process open as many files and connections as the system lets it: Linux begins with 1,024."""
    try:
        import resource  # not on Windows
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS names a limit that it does not give
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
