"""A hint can be typed as it is shown, wherever the root lies."""

import os
import re
import shlex
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.support.command import result_of

NAME = "a b;touch PWNED"


@pytest.fixture
def awkward(tmp_path: Path) -> Path:
    """Make a root whose name a shell would take apart."""
    root = tmp_path / NAME
    root.mkdir()
    told(tmp_path, "init", "--root", NAME)
    return root


def told(directory: Path, *words: str) -> str:
    """Return all that a command prints, run outside of the root."""
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith(("CORTEX_", "PRE_COMMIT"))]:
            del os.environ[name]
        done = result_of(*words, cwd=directory)
    assert done.returncode != 70, done.stderr
    return done.stdout + done.stderr


def commands(text: str) -> list[list[str]]:
    """Return the words of each command in the hints of a text, as a shell splits them."""
    found = [one for line in text.splitlines() if "hint: " in line for one in re.findall("`([a-z-]+ [^`]*)`", line)]
    assert found, text
    for one in found:
        assert ";" not in list(shlex.shlex(one, punctuation_chars=";")), one  # the shell would run what follows
    return [shlex.split(one) for one in found]


def test_a_case_file_that_exists_already_leads_to_update(awkward: Path) -> None:
    """The hint names it in one word."""
    told(awkward.parent, "test", "--init", "example", "--root", NAME)
    ((*_, word),) = commands(told(awkward.parent, "test", "--init", "example", "--root", NAME))
    assert (awkward.parent / word).is_file()


def test_settings_that_others_can_write_lead_to_chmod(awkward: Path) -> None:
    """The hint closes the file, and no other."""
    settings = awkward / ".cortex/policy/config.toml"
    settings.write_text("")
    settings.chmod(0o666)
    found = commands(told(awkward.parent, "validate", "--root", NAME))
    assert any((awkward.parent / words[-1]).samefile(settings) for words in found if words[0] == "chmod")


def test_a_grant_without_cases_leads_to_test_init(awkward: Path) -> None:
    """The hint names the root, which is not found from there."""
    ((*words,),) = commands(told(awkward.parent, "test", "--root", NAME))
    assert words[-2:] == ["--root", str(awkward)]


def test_a_hook_without_a_root_leads_to_the_root_option(awkward: Path) -> None:
    """What is put into a configuration is one word of a list, whatever a directory is called."""
    odd = awkward.parent / "x, --help]"
    (odd / ".cortex/policy").mkdir(parents=True)
    done = result_of("check", "a", "b", cwd=awkward.parent, PRE_COMMIT="1")
    assert '`args: [--root, "x, --help]"]`' in done.stderr


def test_an_argument_that_is_not_allowed_leads_to_its_declaration(awkward: Path) -> None:
    """The hint is the whole command, which prints what may be given."""
    told(awkward.parent, "set", "example", "--arg", "lines=integer,maximum=80", "--root", NAME, "--allow-widening")
    denied = told(awkward.parent, "check", "example", "read", "--arg", "lines=81", "--root", NAME)
    assert "argument not allowed" in denied, denied
    ((program, *words),) = commands(denied)
    assert program == "cortex-policy"
    assert '"maximum": 80' in told(awkward.parent, *words)
