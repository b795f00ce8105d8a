"""`fmt`: what it would change, as text, as a diff, and by its exit code."""

import subprocess
from pathlib import Path

from cortex_policy.core.decode import decode_grant
from tests.support.command import run_command as run
from tests.support.roots import grant_file


def test_fmt_names_what_it_would_change(root: Path) -> None:
    """1 and nothing written with --check and --diff; 21 where one is invalid."""
    before = grant_file(root, "git").read_bytes()
    done = run("fmt", "--check", code=1)
    assert done.stdout == "`git` would be formatted\n`model-gateway` would be formatted\n"
    assert done.stderr == "hint: format with `cortex-policy fmt`\n"
    diff = run("fmt", "git", "--diff", code=1).stdout
    assert grant_file(root, "git").read_bytes() == before
    assert run("fmt").stdout == "formatted `git`, version 1\nformatted `model-gateway`, version 2\n"
    after = grant_file(root, "git").read_bytes()
    assert decode_grant(after) == decode_grant(before)
    grant_file(root, "git").write_bytes(before)
    subprocess.run(["git", "apply", "-"], input=diff, text=True, check=True, cwd=root)
    assert grant_file(root, "git").read_bytes() == after
    assert run("fmt", "--check").stdout == "nothing to do: the layout is canonical\n"
    grant_file(root, "broken").write_text("{")
    assert "broken: grant invalid: " in run("fmt", code=21).stderr
    run("fmt", "missing", code=20)
