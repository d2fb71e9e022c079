"""The pages of the application. `app.py` lists them; Streamlit lists a folder `pages` by itself."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The folder of `app.py`, `docs/` and `web/`."""
