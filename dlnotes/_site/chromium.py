"""The browser that prints the book and runs the tests of the site: the machine's own Chromium."""

import os
import shutil

PATH = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None
)
MISSING = "no Chromium found (install the chromium package, or set CHROMIUM to its path)"


def launch(playwright):
    return playwright.chromium.launch(
        executable_path=PATH, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    )
