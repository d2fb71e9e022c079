"""The page, the API and the health check on one port:

make serve            or            uvicorn asgi:app

From another folder: uvicorn --app-dir THE_FOLDER_OF_THIS_FILE asgi:app
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

# Before NumPy is imported: a second BLAS thread makes five images a hundred times slower on a small host.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import streamlit as st
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route

from digit_generator.errors import DigitGeneratorError
from digit_generator.turns import bear_many_connections

bear_many_connections()

try:
    from digit_generator.api import app as api
except DigitGeneratorError as error:
    print(f"{error}.", file=sys.stderr)
    raise SystemExit(2) from None


# uvicorn has set up its loggers before it imports this file. Streamlit gives them a second handler and
# another level when it starts.
LOGGERS = [logging.getLogger(f"uvicorn{name}") for name in ("", ".access", ".asgi", ".error")]
AS_SET_UP = [(logger, logger.handlers[:], logger.propagate, logger.level) for logger in LOGGERS]


@asynccontextmanager
async def log_once(_: st.App) -> AsyncIterator[None]:
    """Set uvicorn's loggers back to what they were before Streamlit, so that each request is logged once."""
    for logger, handlers, propagate, level in AS_SET_UP:
        logger.handlers = handlers
        logger.propagate = propagate
        logger.setLevel(level)
    yield


async def documentation(request: Request) -> RedirectResponse:
    """Lead from /api to the page that lists the addresses."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/api/docs")


app = st.App(
    Path(__file__).resolve().with_name("app.py"),
    lifespan=log_once,
    routes=[Route("/api", documentation), Mount("/api", api)],
)
