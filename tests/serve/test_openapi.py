"""The OpenAPI document says what the server does."""

import subprocess
import sys
from pathlib import Path

import pytest

from cortex_policy.serve.decisions import MAX_EVALUATIONS
from cortex_policy.serve.openapi import make_openapi_document
from tests.support.serve import environment, make_root, running

SCHEMATHESIS = Path(sys.executable).parent / "st"


def test_the_document_names_every_path_and_its_bound(tmp_path: Path) -> None:
    """The server gives it to who may ask."""
    root = make_root(tmp_path, git={"actions": ["tree"]})
    with running(root, env=environment(tmp_path)) as server:
        document = server.get("/openapi.json").json
        for path, methods in document["paths"].items():
            for method in ("GET", "POST"):
                reply = server.get(path) if method == "GET" else server.post(path, {})
                assert (reply.status == 405) == (method.lower() not in methods)
                assert str(reply.status) in {"405", *methods.get(method.lower(), {}).get("responses", {})}
    assert document == make_openapi_document()
    bounds = document["components"]["schemas"]["EvaluationsRequest"]["anyOf"][1]["properties"]["evaluations"]
    assert bounds["maxItems"] == MAX_EVALUATIONS


@pytest.mark.storm
@pytest.mark.skipif(not SCHEMATHESIS.exists(), reason="schemathesis comes with the extra `dev`")
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """It sends what the document allows and what it does not, and reads the answers."""
    root = make_root(tmp_path, git={"actions": ["tree"], "fsScope": ["docs"]})
    words = ("--tcp", "127.0.0.1:0", "--token", str(tmp_path / "token"))
    with running(root, *words, env=environment(tmp_path)) as server:
        argv = [SCHEMATHESIS, "run", f"{server.url}/openapi.json", "-H", f"Authorization: Bearer {server.token}"]
        done = subprocess.run(
            [*argv, "--max-examples", "100"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
