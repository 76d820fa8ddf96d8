"""The project's own wheel, for the snippets that run in the page: `python -m dlnotes._site.wheel`.

Its name is fixed, so that a page knows it before it is built, and the same sources give the same bytes.
"""

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

WHEEL = Path("docs/assets/wheel/dlnotes.whl")


def build(root: Path = Path()) -> Path:
    """Build the wheel of the project at `root`. The file is replaced whole, and only when its bytes changed."""
    target = root / WHEEL
    target.parent.mkdir(parents=True, exist_ok=True)
    (root / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root / "build") as folder:  # the target's own disk: a rename is atomic there
        made = subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", Path(folder).resolve()],
            cwd=root,
            env=os.environ | {"SOURCE_DATE_EPOCH": "1580601600"},  # one date inside, whoever builds
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise RuntimeError(f"the wheel cannot be built: {made.stderr.strip().rpartition(chr(10))[2]}")
        (fresh,) = Path(folder).glob("*.whl")
        if not target.exists() or target.read_bytes() != fresh.read_bytes():  # mkdocs serve watches docs/
            fresh.replace(target)
    return target


def refresh() -> str:
    """Build when a source changed since this process last built. What went wrong in words, or an empty string."""
    package = [path for path in Path("dlnotes").rglob("*.py") if "_site" not in path.parts]
    sources = [path for path in map(Path, ["pyproject.toml", "README.md", "LICENSE"]) if path.exists()]
    return _refreshed(Path.cwd(), tuple((path, path.stat().st_mtime_ns) for path in sorted(package + sources)))


@functools.lru_cache(maxsize=1)
def _refreshed(root: Path, stamp: tuple) -> str:
    try:
        build(root)
    except RuntimeError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    print(build())
