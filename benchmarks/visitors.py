"""Visitors of a Streamlit page without a browser: they open it, press its buttons, and wait for the answers.

They speak as the page's own script in a browser does: protocol buffers over a WebSocket.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection

PATIENCE = 300  # seconds for one answer


class Visitor:
    """One open page.

    elements: what it shows, by label: the protocol's messages. fragments: by label, which part of the page
    alone runs when the element is used; "" for the whole.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.elements: dict[str, Any] = {}
        self.fragments: dict[str, str] = {}
        self.page_hash = ""

    @classmethod
    async def open(cls, url: str, page: str = "", query: str = "") -> Visitor:
        """Open a page of the app and wait until it is there."""
        connection = await websockets.connect(
            f"{url.replace('http', 'ws')}/_stcore/stream",
            subprotocols=[websockets.Subprotocol("streamlit")],
            max_size=None,
            open_timeout=PATIENCE,
        )
        visitor = cls(connection)
        await visitor.run(page_name=page, query=query)
        return visitor

    async def close(self) -> None:
        await self.connection.close()

    async def press(self, label: str) -> float:
        """Press the button whose label begins so: seconds until the page is as it is after it."""
        name = next(name for name in self.elements if name.startswith(label))
        return await self.run(triggers=[self.elements[name].id], fragment=self.fragments[name])

    async def run(
        self,
        *,
        triggers: list[str] | None = None,
        fragment: str = "",
        page_name: str | None = None,
        query: str = "",
    ) -> float:
        """Run the script, or a fragment of it, once: seconds until it has finished."""
        message = BackMsg()
        message.rerun_script.query_string = query
        message.rerun_script.fragment_id = fragment
        if page_name is not None:
            message.rerun_script.page_name = page_name
        else:
            message.rerun_script.page_script_hash = self.page_hash
        for id in triggers or []:
            state = message.rerun_script.widget_states.widgets.add()
            state.id, state.trigger_value = id, True
        start = time.perf_counter()
        await self.connection.send(message.SerializeToString())
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(await asyncio.wait_for(self.connection.recv(), PATIENCE))
            kind = answer.WhichOneof("type")
            if kind == "new_session":
                self.page_hash = answer.new_session.page_script_hash
            elif kind == "delta" and answer.delta.WhichOneof("type") == "new_element":
                element = answer.delta.new_element
                what = getattr(element, str(element.WhichOneof("type")))
                if element.WhichOneof("type") in ("button", "exception"):
                    name = getattr(what, "label", "exception")
                    self.elements[name], self.fragments[name] = what, answer.delta.fragment_id
            elif kind == "script_finished":
                return time.perf_counter() - start


async def pressing(visitor: Visitor, label: str, seconds: float) -> list[float]:
    """Press a button again and again, as soon as the answer is there: the seconds that each took."""
    until, times = time.perf_counter() + seconds, []
    while time.perf_counter() < until:
        times.append(await visitor.press(label))
    return times


def figures(times: list[float], seconds: float) -> Mapping[str, float]:
    """Clicks a second, and the median and the 95th percentile of the milliseconds of a click."""
    ordered = sorted(times)
    return {
        "rate": len(times) / seconds,
        "p50": 1000 * ordered[len(ordered) // 2],
        "p95": 1000 * ordered[int(0.95 * len(ordered))],
    }
