"""Problems that only the disk shows: scopes and schema links that name nothing, or lead elsewhere."""

import os

from cortex_policy.core.engine import find_matching_scope
from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.core.json_tree import format_json_pointer
from cortex_policy.core.text import format_guess_hint
from cortex_policy.core.unicode_equivalence import format_normal_form_difference, to_nfc
from cortex_policy.manage.editor_schema import LINK
from cortex_policy.manage.validation.targets import format_root_option_for_cwd
from cortex_policy.schema.problems import UnlocatedProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.schema.lint_rules.lint_subject import LintSubject


class ScopeChecker:
    """The tree of a root; results for scopes are cached, since many grants have the same ones."""

    def __init__(self, root: str) -> None:
        """Take the root."""
        self._root = root.rstrip("/")
        self._known: dict[str, tuple[str, str, str]] = {}
        self._listed: dict[str, dict[str, str]] = {}

    def find_scope_problems(self, subject: "LintSubject") -> "Iterator[UnlocatedProblem]":
        """Find scopes that do not exist, or are links to a place out of every scope."""
        scopes = subject.grant.fs_scope
        for index, (scope, prefix) in enumerate(zip(scopes, subject.prefixes, strict=True)):
            if prefix is None:
                continue
            code, why, hint = self._known.get(prefix) or self._known.setdefault(prefix, self._check_prefix(prefix))
            if code == "scope-link":
                if find_matching_scope(scopes, why) is not None:
                    continue
                why = f"is a link to `{why}`, which no scope covers, so all in it is denied"
            if code:
                yield UnlocatedProblem(code, f"`{scope}` {why}", hint, format_json_pointer("fsScope", index))

    def _check_prefix(self, prefix: str) -> tuple[str, str, str]:
        """Return the code, the message and a hint; for a link, its target below the root in place of the message."""
        if "\0" in prefix:
            return "", "", ""  # no path of a scoped grant holds one
        path = f"{self._root}/{prefix}"
        if os.path.lexists(path):
            target = os.path.realpath(path)
            if target == path or not target.startswith(f"{self._root}/"):
                return (
                    ("", "", "")
                    if target == path
                    else ("scope-link", f"`{target}`", "name the target of the link as the scope, or remove the scope")
                )
            to = target[len(self._root) + 1 :]
            return "scope-link", to, f"if the target should be allowed, also add `{to}` as a scope"
        similar = self._find_spelling_in_tree(prefix)
        if similar:
            if to_nfc(similar) == to_nfc(prefix):
                difference = format_normal_form_difference("the tree's", prefix, similar)
                return "scope-absent", f"does not exist: {difference}", _json_hint(similar)
            return (
                "scope-case",
                f"is spelled `{similar}` in the tree, and case counts",
                format_guess_hint(similar),
            )
        return (
            "scope-absent",
            "does not exist in the tree",
            "make the path, or correct its name; a scope is relative to the root",
        )

    def _find_spelling_in_tree(self, prefix: str) -> str:
        """Return how the tree spells a path, '' if it does not exist in any case."""
        spelled = ""
        for step in prefix.split("/"):
            names = self._names_by_spelling(spelled)
            name = names.get(step) or names.get(_fold_name(step))
            if name is None:
                return ""
            spelled = f"{spelled}/{name}".lstrip("/")
        return spelled

    def _names_by_spelling(self, directory: str) -> dict[str, str]:
        """Return the names in a directory, by the name itself and by its form without case."""
        if directory not in self._listed:
            try:
                names = sorted(os.listdir(f"{self._root}/{directory}"), reverse=True)  # of two, the first is suggested
            except OSError:
                names = []
            self._listed[directory] = {_fold_name(name): name for name in names} | {name: name for name in names}
        return self._listed[directory]


def _fold_name(name: str) -> str:
    """Return a name without its case and its Unicode normal form."""
    return to_nfc(to_nfc(name).casefold())


def _json_hint(name: str) -> str:
    """Return the hint to write a name that looks like another one."""
    return f"write it as {format_ascii_json(name)}, which is JSON for the name in the tree"


def find_schema_link_problems(
    subject: "LintSubject", directory: str, *, is_in_place: bool
) -> "Iterator[UnlocatedProblem]":
    """Find a `$schema` that names a file that does not exist, or in a root another one than the installed schema."""
    link = subject.document.get("$schema")
    if not isinstance(link, str) or not link or "\0" in link:
        return
    is_file, path = "://" not in link, os.path.join(directory, link.partition("#")[0])
    is_ours = is_file and os.path.normpath(path) == os.path.normpath(os.path.join(directory, LINK))
    install = f"`cortex-policy schema --install{format_root_option_for_cwd(subject.root) if subject.root else ''}`"
    if is_file and not os.path.exists(path):
        hint = f"write it with {install}" if is_ours else f"name `{LINK}`, which {install} writes, or remove the key"
        yield UnlocatedProblem("key-schema", f"`{link}` leads nowhere", hint, "/$schema")
    elif is_in_place and not is_ours:
        hint = f"editors use it; the schema of this program is `{LINK}`, which {install} writes"
        yield UnlocatedProblem("key-other-schema", f"`{link}` is a different schema", hint, "/$schema")
