"""A real browser for the tests of the built site."""

import functools
import http.server
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dlnotes._site import chromium


@pytest.fixture(scope="session")
def browser():
    """A Chromium. Without one, the tests that need it are skipped for a user and fail where CI is set."""
    if chromium.PATH is None:
        if os.environ.get("CI"):
            pytest.fail(chromium.MISSING)
        pytest.skip(chromium.MISSING)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = chromium.launch(playwright)
        yield started
        started.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def serve():
    """serve(folder) -> its address on this machine."""
    servers = []

    def start(folder: Path) -> str:
        handler = functools.partial(_Quiet, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The folder of the built site. Claims that have not run on this code are run first."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-m", "dlnotes._site.evidence"], check=True)
    subprocess.run([sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def address(site, serve) -> str:
    return serve(site)
