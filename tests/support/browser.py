"""A browser for tests, driven by node with puppeteer-core: python -m tests.support.browser installs what it needs.

AGENTS_DIR names the directory for what npm installs.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PACKAGES = {"puppeteer-core": "24.43.1", "axe-core": "4.14.1"}
DRIVER = Path(__file__).with_name("browser.mjs")


def directory() -> Path:
    """Return where npm installs."""
    return Path(os.environ.get("AGENTS_DIR", "no-agents")).resolve() / "browser"


def chromium() -> str | None:
    """Return the path of the browser."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def missing() -> str:
    """Say what is missing for a browser, '' if all is there."""
    if chromium() is None or shutil.which("node") is None:
        return "chromium and node are needed"
    if any(not (directory() / "node_modules" / name).is_dir() for name in PACKAGES):
        return "`python -m tests.support.browser` installs what is needed in AGENTS_DIR"
    return ""


class Browser:
    """One tab of a browser."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Take the driver."""
        self._process = process

    def do(self, name: str, **options: Any) -> Any:
        """Let the driver do something, and return its result."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"name": name, **options}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def value(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        return self.do("evaluate", expression=expression)

    def text(self, selector: str) -> str:
        """Return the text that a part of the page shows, '' if there is none."""
        found: str = self.value(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")
        return found

    def wait(self, expression: str, seconds: float = 20) -> None:
        """Wait until an expression is true."""
        assert self.do("wait", expression=expression, seconds=seconds), (expression, self.text("body"))


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run a browser for a while."""
    argv = ["node", str(DRIVER), str(directory()), str(chromium())]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Browser(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def install() -> bool:
    """Install what npm has, unless it is there; none of its scripts is run."""
    npm = shutil.which("npm")
    if npm is None or not missing():
        return npm is not None
    directory().mkdir(parents=True, exist_ok=True)
    (directory() / "package.json").write_text("{}")
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(directory())]
    words = [f"{name}@{version}" for name, version in PACKAGES.items()]
    return subprocess.run([npm, "install", *options, *words], check=False).returncode == 0 and not missing()


if __name__ == "__main__":
    sys.exit(not install())
