"""The rules of validation, in one table: `rule` explains from it, README and SARIF list it, tests try its examples.

A code is the group and the name of what is wrong; `--select` and `--ignore` take a code or a whole group.
"""

from cortex_policy.core import Value
from cortex_policy.core.model import UsageError

ERROR, WARNING, NOTE = "error", "warning", "note"


class LintRule(Value):
    """A rule of `validate`: what it finds, why that matters, an example, and the fixed example.

    The example of a grant's key is that key alone. Rules about files and directories have none.
    """

    code: str
    severity: str
    sentence: str
    why: str
    example: str = ""
    fixed_example: str = ""


RULES = (
    LintRule("syntax-json", ERROR, "the file is not JSON", "it cannot be read, so it allows nothing", '{"tool": "git"', '{"tool": "git"}'),
    LintRule("syntax-encoding", ERROR, "the file is not UTF-8", "JSON is UTF-8, and a guess could read another grant"),
    LintRule("syntax-bom", ERROR, "the file starts with a byte order mark", "JSON has none; an editor wrote it", '\ufeff{"tool": "git"}', '{"tool": "git"}'),
    LintRule("syntax-comment", ERROR, "the file has a comment", "JSON has none; a key like `$comment` says it too", '{"tool": "git" /* ours */}', '{"$comment": "ours", "tool": "git"}'),
    LintRule("syntax-comma", ERROR, "the file has a comma too many", "JSON ends a list without one", '{"actions": ["tree",]}', '{"actions": ["tree"]}'),
    LintRule("syntax-quotes", ERROR, "the file has quotes that JSON does not have", "JSON has double quotes only", "{'tool': 'git'}", '{"tool": "git"}'),
    LintRule("syntax-shell", ERROR, "the file is a shell script around JSON", "a script was saved in place of what it writes", "grant='{\"tool\": \"git\"}'", '{"tool": "git"}'),
    LintRule("syntax-conflict", ERROR, "the file has conflict markers of a merge", "it holds two grants, and somebody must choose", '<<<<<<< ours\n{"tool": "git"}\n=======\n{"tool": "hg"}\n>>>>>>> theirs', '{"tool": "git"}'),
    LintRule("syntax-key", ERROR, "a key appears twice in one object", "readers differ in which of the two they use", '{"tool": "git", "tool": "hg"}', '{"tool": "git"}'),
    LintRule("syntax-number", ERROR, "a number is malformed, or too large", "JSON knows no NaN and no Infinity, and readers differ on giants", '{"rate": {"perMinute": Infinity}}', '{"rate": {"perMinute": 60}}'),
    LintRule("syntax-string", ERROR, "a string contains an incomplete character", "lone surrogates cannot be written as UTF-8", '{"tool": "\\ud800"}', '{"tool": "git"}'),
    LintRule("syntax-limit", ERROR, "the file is larger, or nested deeper, than a grant may be", "1 MiB and 64 levels are enough, and more is an attack"),
    LintRule("shape-missing", ERROR, "a key is missing", "a grant names its tool, its actions and its rate", '{"tool": "git", "actions": []}', '{"tool": "git", "actions": [], "rate": {"perMinute": 30}}'),
    LintRule("shape-type", ERROR, "a value is of the wrong type", "its meaning would have to be guessed", '"actions": "tree"', '"actions": ["tree"]'),
    LintRule("shape-value", ERROR, "a value is unknown", "its meaning would have to be guessed", '"dataClass": "secret"', '"dataClass": "sensitive"'),
    LintRule("shape-schema", ERROR, "the file is a JSON Schema, not a grant", "a schema says what grants look like; it allows nothing", '{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {}}'),
    LintRule("shape-other", ERROR, "the file is JSON, but not a grant", "it holds none of a grant's keys, and allows nothing", '{"version": "1.0.0", "agents": {}}'),
    LintRule("key-unknown", WARNING, "a key has no effect, but looks like a key of a grant", "an unknown key is kept and has no effect", '"fsscope": ["docs"]', '"fsScope": ["docs"]'),
    LintRule("key-idle", WARNING, "a key looks like a restriction, but restricts nothing", "only the keys of a grant are enforced", '"enabled": false'),
    LintRule("key-schema", WARNING, "`$schema` leads nowhere", "an editor finds no schema there, so it cannot help", '"$schema": "../schemas/gone.json"'),
    LintRule("key-other-schema", NOTE, "`$schema` names another schema", "editors check the grant against that one, which may not say what is enforced", '"$schema": "https://example.org/tool.json"', '"$schema": "../grant.schema.json"'),
    LintRule("tool-id", NOTE, "the file does not have the name of its tool", "calls name the file, budgets and audit the tool"),
    LintRule("action-none", WARNING, "there are no actions", "it allows no call at all", '"actions": []', '"actions": ["tree"]'),
    LintRule("action-empty", WARNING, "an action has no name", "no call can name it", '"actions": ["tree", ""]', '"actions": ["tree"]'),
    LintRule("action-blank", WARNING, "an action has spaces around it", "actions are compared exactly", '"actions": ["tree "]', '"actions": ["tree"]'),
    LintRule("action-glob", WARNING, "an action looks like a pattern", "actions are compared exactly: `*` allows only the action called `*`", '"actions": ["*"]', '"actions": ["tree", "search"]'),
    LintRule("action-twice", WARNING, "an action appears twice", "once is enough", '"actions": ["tree", "tree"]', '"actions": ["tree"]'),
    LintRule("scope-dead", ERROR, "a scope can never match", "scopes are prefixes, compared as they are written", '"fsScope": ["docs/**"]', '"fsScope": ["docs"]'),
    LintRule("scope-guarded", WARNING, "a scope lies in `.cortex`", "no grant may allow access to what governs it", '"fsScope": [".cortex/policy"]'),
    LintRule("scope-covered", NOTE, "a scope is covered by another", "the wider scope allows all of it", '"fsScope": ["docs", "docs/api"]', '"fsScope": ["docs"]'),
    LintRule("scope-case", WARNING, "a scope is spelled in another case than the tree", "scopes are compared with their case"),
    LintRule("scope-absent", WARNING, "the path of a scope does not exist", "it allows what may be made there later"),
    LintRule("scope-link", WARNING, "a scope is a link to a path that no scope covers", "both the link and its target must be in scope"),
    LintRule("scope-none", WARNING, "a grant allows writing to any path", "a grant without scopes allows every path", '"actions": ["write"]', '"actions": ["write"], "fsScope": ["docs"]'),
    LintRule("scope-escalation", WARNING, "a scope covers files that others run", "a program that writes such a file gains the rights of those who run it", '"fsScope": [".github/workflows"]'),
    LintRule("scope-sensitive", WARNING, "a grant for sensitive data allows any path", "a class says how sensitive the data is, and a scope says where it is", '"dataClass": "sensitive"', '"dataClass": "sensitive", "fsScope": ["records"]'),
    LintRule("scope-no-path", NOTE, "a grant with `fsScope` allows a call without a path", "no scope is checked then, so a script that forgets to name the path is not guarded"),
    LintRule("arg-keyword", ERROR, "the declaration of an argument cannot be enforced", "no restriction is skipped in silence, so every call with it is denied", '"args": {"url": {"type": "string", "format": "uri"}}', '"args": {"url": {"type": "string"}}'),
    LintRule("arg-pattern", WARNING, "a pattern is slow, or matches nothing", "a check stops after a fixed number of steps, and other programs that read the grant may hang", '"args": {"ref": {"pattern": "^(a+)+$"}}', '"args": {"ref": {"pattern": "^a+$"}}'),
    LintRule("arg-pathlike", WARNING, "an argument looks like a path, but is not treated as a path", "no scope limits it, and it may name the policy itself", '"args": {"target": {"type": "string"}}', '"args": {"target": {"type": "string", "format": "path"}}'),
    LintRule("arg-undeclared", NOTE, "a grant with `fsScope` allows undeclared arguments", "only names tell which of them are paths, so others may hold any path"),
    LintRule("budget-shared", NOTE, "two grants share one budget", "a budget belongs to a tool and an action, not to a file"),
    LintRule("hooks-syntax", ERROR, "a `hooks.toml` is not TOML, or too large", "it cannot be read, so every call of a tool is denied", "format = 1\n[[rule]\n", 'format = 1\n[[rule]]\ntools = ["Write"]\ngrant = "fs.write"\naction = "write"'),
    LintRule("hooks-key", ERROR, "a `hooks.toml` has a key that does not exist", "a restriction with a typo would be skipped in silence, so every call of a tool is denied", 'format = 1\n[[rule]]\ntools = ["Write"]\ngrant = "fs.write"\naction = "write"\nignored = ["content"]', 'format = 1\n[[rule]]\ntools = ["Write"]\ngrant = "fs.write"\naction = "write"\nignore = ["content"]'),
    LintRule("hooks-value", ERROR, "a value in `hooks.toml` is wrong", "its meaning would have to be guessed, so every call of a tool is denied", 'format = 1\nunmapped = "allow"', 'format = 1\nunmapped = "pass"'),
    LintRule("hooks-rule", ERROR, "the keys of a rule in `hooks.toml` do not fit together", "it would have to be guessed what the rule means, so every call of a tool is denied", 'format = 1\n[[rule]]\ntools = ["Write"]\ngrant = "fs.write"', 'format = 1\n[[rule]]\ntools = ["Write"]\ngrant = "fs.write"\naction = "write"'),
    LintRule("hooks-ignore", ERROR, "a rule in `hooks.toml` ignores an input that is a path by its name", "a path is always judged, so every call of a tool is denied", 'format = 1\n[[rule]]\ntools = ["Write"]\ngrant = "fs.write"\naction = "write"\nignore = ["file_path"]', 'format = 1\n[[rule]]\ntools = ["Write"]\ngrant = "fs.write"\naction = "write"\nignore = ["content"]'),
    LintRule("hooks-tool", WARNING, "a rule in `hooks.toml` names a tool that no agent has, but an agent has a tool with a similar name", "names are compared exactly, so the rule would not fit", 'format = 1\n[[rule]]\ntools = ["write"]\nagents = ["claude"]\ngrant = "fs.write"\naction = "write"', 'format = 1\n[[rule]]\ntools = ["Write"]\nagents = ["claude"]\ngrant = "fs.write"\naction = "write"'),
    LintRule("hooks-subagents", WARNING, "a rule for sub-agents can apply to agents that do not tell which sub-agent calls", "the rule takes every call of such an agent for a call of the main agent", 'format = 1\n[[rule]]\ntools = ["Write"]\nsubagents = ["reviewer"]\ngrant = "fs.write"\naction = "write"', 'format = 1\n[[rule]]\ntools = ["Write"]\nagents = ["claude", "codex"]\nsubagents = ["reviewer"]\ngrant = "fs.write"\naction = "write"'),
    LintRule("hooks-unreachable", WARNING, "no call reaches a rule in `hooks.toml`, or one of the names in a rule", "the first rule that fits decides", 'format = 1\n[[rule]]\ntools = ["W*"]\ndecide = "pass"\n[[rule]]\ntools = ["Write"]\ngrant = "fs.write"\naction = "write"', 'format = 1\n[[rule]]\ntools = ["Write"]\ngrant = "fs.write"\naction = "write"\n[[rule]]\ntools = ["W*"]\ndecide = "pass"'),
    LintRule("hooks-grant", ERROR, "a rule in `hooks.toml` names a grant that does not exist", "each call that fits the rule is denied"),
    LintRule("hooks-action", WARNING, "a rule in `hooks.toml` asks for an action that its grant does not have", "each call that fits the rule is denied"),
    LintRule("file-missing", ERROR, "the file does not exist, or is a directory without a grant", "only what was named is validated"),
    LintRule("file-unreadable", ERROR, "the file cannot be read", "an unreadable grant allows nothing"),
    LintRule("file-unsafe", WARNING, "others could change the file", "`check` refuses it, see `cortex-policy check --help`"),
    LintRule("file-name", WARNING, "the name of the file is not an id", "no check can name it"),
    LintRule("file-stray", WARNING, "the file is not a grant, and is not read", "grants are `<id>.json` in `.cortex/policy/tools`, and nothing else is read there"),
    LintRule("file-outside", NOTE, "the file lies outside of `.cortex/policy/tools`", "no check finds it there"),
    LintRule("file-none", WARNING, "a root has no grants", "it denies every call, and a validation of no grants would always pass"),
    LintRule("file-ignore", NOTE, "the `.gitignore` beside the grants lacks a line", "git would commit or remove files that are temporary or private: a writer's lock, a stop, the history, a text that was not saved"),
    LintRule("file-schema", NOTE, "the schema for editors differs from that of this version", "editors would accept wrong grants, or underline right ones"),
    LintRule("stamp-missing", NOTE, "there is no stamp", "programs that cache grants do not notice that they changed"),
    LintRule("stamp-broken", WARNING, "the stamp cannot be read", "programs that cache grants do not notice that they changed"),
    LintRule("stamp-differs", WARNING, "a grant does not match its stamp", "it was changed by hand, and programs that cache it did not notice"),
    LintRule("settings-invalid", ERROR, "settings cannot be trusted or read", "no setting is skipped, so every check answers 27"),
    LintRule("settings-unused", NOTE, "a suppression suppresses nothing", "its problem is fixed, and the next one of its kind would be hidden"),
)  # fmt: skip
HOOK_ERRORS = (
    "hooks-syntax",
    "hooks-key",
    "hooks-value",
    "hooks-rule",
    "hooks-ignore",
)  # every call of a tool is denied
_BY_CODE = {rule.code: rule for rule in RULES}


def find_severity(code: str) -> str:
    """Return `error`, `warning` or `note` for the code of a rule that exists."""
    return _BY_CODE[code].severity


def find_rule(code: str) -> LintRule:
    """Return the rule of a code; raise UsageError for an unknown code, with the nearest one."""
    if code not in _BY_CODE:
        raise _unknown_rule_error(code)
    return _BY_CODE[code]


def expand_code_or_group(word: str) -> frozenset[str]:
    """Return the codes of a group, or a code itself; raise UsageError for an unknown one."""
    codes = frozenset(code for code in _BY_CODE if code == word or code.startswith(f"{word}-"))
    if not codes:
        raise _unknown_rule_error(word)
    return codes


def _unknown_rule_error(word: str) -> UsageError:
    from cortex_policy.core.closest_match import find_closest_word  # noqa: PLC0415 - only a mistake needs it
    from cortex_policy.core.text import format_guess_hint  # noqa: PLC0415 - as above

    groups = dict.fromkeys(code.partition("-")[0] for code in _BY_CODE)
    hint = format_guess_hint(find_closest_word(word, [*_BY_CODE, *groups])) or "see them with `cortex-policy rule`"
    return UsageError(f"unknown rule `{word}`", hint)
