"""Serve the demo in web/ on http://localhost:8000: python -m tools.serve_web

As `python -m http.server --directory web 8000`, but with the right type for every file: on Windows, another
program may have registered .js as text/plain, and a browser runs no such module.
"""

from __future__ import annotations

import argparse
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WEB = Path(__file__).resolve().parents[1] / "web"


class Files(SimpleHTTPRequestHandler):
    """A folder's files, whose types do not depend on the system."""

    extensions_map = {  # noqa: RUF012 - as in the base class
        **SimpleHTTPRequestHandler.extensions_map,
        ".css": "text/css",
        ".html": "text/html",
        ".js": "text/javascript",
        ".json": "application/json",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".webmanifest": "application/manifest+json",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the demo in web/ on this machine.")
    parser.add_argument("--port", type=int, default=8000, help="default: 8000")
    port = parser.parse_args().port
    try:
        with ThreadingHTTPServer(("127.0.0.1", port), partial(Files, directory=WEB)) as server:
            print(f"http://localhost:{server.server_port} (Ctrl-C stops it)", flush=True)
            server.serve_forever()
    except (OSError, OverflowError) as error:
        parser.error(f"port {port} cannot be used ({error}): choose another with --port.")
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main()
