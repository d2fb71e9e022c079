"""The page, the API and the health check on one port:

make serve            or            uvicorn asgi:app
"""

from __future__ import annotations

import os

# Before NumPy is imported: a second BLAS thread makes five images a hundred times slower on a small host.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import streamlit as st
from starlette.routing import Mount

from digit_generator.api import app as api

app = st.App("app.py", routes=[Mount("/api", api)])
