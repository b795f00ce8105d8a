"""The recipes for Python run: each block in a process of its own, in front of the real framework."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.checkout import page

PAGE = page("python-recipes")
FASTAPI, DJANGO, PYTEST = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = '{"tool": "files", "actions": ["write"], "rate": {"perMinute": 1}, "fsScope": ["docs"]}'


def lines_of(code: str, cwd: Path) -> list[str]:
    """Run a program, and return the lines that it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_fastapi_application_answers_denials(root: Path) -> None:
    """200 for an allowed call, 403 outside of the scope, 429 over the rate, 503 for a grant that does not load."""
    file = root / ".cortex" / "policy" / "tools" / "files.json"
    file.write_text(FILES)
    calls = f"""
from pathlib import Path
from fastapi.testclient import TestClient
client = TestClient(app)
for path in ("docs/x", "/etc/x", "docs/x"):
    print(client.post("/files", params={{"path": path}}).status_code)
Path({str(file)!r}).write_text("")
print(client.post("/files", params={{"path": "docs/x"}}).status_code)
"""
    assert lines_of(FASTAPI.replace('"/srv/app"', repr(str(root))) + calls, root) == ["200", "403", "429", "503"]


def test_a_django_middleware_answers_denials(root: Path) -> None:
    """A view that is denied answers 403, one whose grant does not exist 503; other errors are left to Django."""
    calls = f"""
import django
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, MIDDLEWARE=[__name__ + ".PolicyMiddleware"], ALLOWED_HOSTS=["*"], SECRET_KEY="x")
django.setup()
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from cortex_policy import PolicyStore
store = PolicyStore({str(root)!r})
def view(request, grant, action):
    store.enforce(grant, action)
    return HttpResponse("done")
urlpatterns = [path("<grant>/<action>", view)]
for url in ("/git/tree", "/git/push", "/other/tree"):
    print(Client(raise_request_exception=False).get(url).status_code)
"""
    assert lines_of(DJANGO + calls, root) == ["200", "403", "503"]


def test_the_pytest_fixture_makes_a_grant_for_a_test(tmp_path: Path) -> None:
    """The test of the page passes in a directory of its own."""
    (tmp_path / "test_page.py").write_text(PYTEST)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "1 passed" in done.stdout, done.stdout
