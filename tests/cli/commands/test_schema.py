"""`schema` prints the schema, or installs the one for editors, which `validate` and new grants know."""

import json
from pathlib import Path

from cortex_policy.manage.editor_schema import read_packaged_schema
from cortex_policy.schema.grant_document import make_grant_json_schema
from tests.support.command import run_command as run
from tests.support.roots import grant_file


def codes() -> set[str]:
    """Return the codes that `validate` finds."""
    return {one["code"] for one in json.loads(run("validate", "--output", "json").stdout)["problems"]}


def test_the_schema_is_printed(root: Path) -> None:
    """Whatever lies around; nothing is written."""
    assert json.loads(run("schema").stdout) == json.loads(run("schema", "--json").stdout) == make_grant_json_schema()
    assert not (root / ".cortex" / "policy" / "grant.schema.json").exists()


def test_the_schema_is_installed_beside_the_grants(root: Path) -> None:
    """Once; `validate` knows it, and says if it is another version's."""
    file = root / ".cortex" / "policy" / "grant.schema.json"
    assert run("schema", "--install").stdout == f"wrote {file}\n"
    assert file.read_bytes() == read_packaged_schema()
    assert run("schema", "--install").stdout == f"nothing to do: {file} is the schema of this version\n"
    assert not {code for code in codes() if code.startswith(("file-stray", "file-schema"))}
    file.write_text("{}")
    assert "file-schema" in codes()
    assert "note: it is not the schema of this version [file-schema]" in run("validate").stdout
    assert json.loads(run("schema", "--install", "--json").stdout) == {"changed": True, "file": str(file)}
    assert "file-schema" not in codes()


def test_the_schema_is_not_written_through_a_link(root: Path) -> None:
    """Nor over a directory: `validate` says so too."""
    file = root / ".cortex" / "policy" / "grant.schema.json"
    (root / "elsewhere").write_text("kept")
    file.symlink_to(root / "elsewhere")
    assert "is a link" in run("schema", "--install", code=22).stderr
    assert "is a link [file-schema]" in run("validate").stdout
    assert (root / "elsewhere").read_text() == "kept"
    file.unlink()
    file.mkdir()
    assert "is not a regular file" in run("schema", "--install", code=22).stderr


def test_a_new_grant_names_the_schema_and_installs_it(root: Path) -> None:
    """Where there is none; one that is there is left, and so is a grant that names another."""
    file = root / ".cortex" / "policy" / "grant.schema.json"
    run("new", "a", "--allow", "read", "--rate", "1", "--allow-widening")
    assert json.loads(grant_file(root, "a").read_text())["$schema"] == "../grant.schema.json"
    assert file.read_bytes() == read_packaged_schema()
    file.write_text("{}")
    run("new", "b", "--allow", "read", "--rate", "1", "--allow-widening")
    assert file.read_text() == "{}"
    assert "key-other-schema" not in codes()
    grant_file(root).write_text(
        grant_file(root).read_text().replace('{"tool"', '{"$schema": "https://example.org/x", "tool"')
    )
    assert "key-other-schema" in codes()
    run("schema", "--install")
    assert "https://example.org/x" in grant_file(root).read_text()
