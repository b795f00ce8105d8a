"""TAB in real shells: commands, options, grant ids, the actions of that grant, and files."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from cortex_policy.cli.command_table import COMMANDS
from tests.support.checkout import CHECKOUT

CASES = [
    ("cortex-policy ", set(COMMANDS)),
    ("cortex-policy ch", {"check"}),
    ("cortex-policy set ", {"git", "model-gateway"}),
    ("cortex-policy set --allow push g", {"git"}),
    ("cortex-policy set git --add-s", {"--add-scope"}),
    ("cortex-policy new ", set()),
    ("cortex-policy rename g", {"git"}),
    ("cortex-policy copy git ", set()),
    ("cortex-policy fmt m", {"model-gateway"}),
    ("cortex-policy init --pre", {"--pre-commit"}),
    ("cortex-policy --v", {"--version"}),
    ("cortex-policy help rat", {"rate"}),
    ("cortex-policy list --output ", {"table", "tsv"}),
    ("cortex-policy --root ../../other che", {"check"}),
    ("cortex-policy --root ../../other check m", {"mail"}),
    ("cortex-policy check ", {"git", "model-gateway"}),
    ("cortex-policy check g", {"git"}),
    ("cortex-policy check git ", {"tree", "snippet", "search", "repo:sync", "repo:send"}),
    ("cortex-policy check --peek --path docs/x git s", {"snippet", "search"}),
    ("cortex-policy check --peek --path=docs/x git t", {"tree"}),
    ("cortex-policy check git repo:sy", {"repo:sync"}),
    ("cortex-policy check model-gateway ", {"chat"}),
    ("cortex-policy check git tree --requir", {"--require-path"}),
    ("cortex-policy enforce git repo:sy", {"repo:sync"}),
    ("cortex-policy enforce git tree --requir", {"--require-path"}),
    ("cortex-policy check git tree ", set()),
    ("cortex-policy run g", {"git"}),
    ("cortex-policy run git repo:sy", {"repo:sync"}),
    ("cortex-policy run git tree --fo", {"--for-each"}),
    ("cortex-policy run git tree --path gui", {"guide.md"}),
    ("cortex-policy run git tree -- sha224s", {"sha224sum"}),
    ("cortex-policy run git tree --path docs -- cat gui", {"guide.md"}),
    ("cortex-policy run git tree -- cat odd", {"odd $(touch owned) name"}),
    ("cortex-policy check --root ../../other m", {"mail"}),
    ("cortex-policy check --root=../../other mail ", {"send"}),
    ("cortex-policy check --root '../../an other' ", {"quoted"}),
    ("cortex-policy check --root ~/home ", {"quoted"}),
    ("cortex-policy check --root nowhere ", set()),
    ("cortex-policy stamp ", {"merge", "merge-files", "show", "verify", "wait", "write"}),
    ("cortex-policy stamp show --j", {"--json"}),
    ("cortex-policy show m", {"model-gateway"}),
    ("cortex-policy undo ", {"git", "hooks.toml", "model-gateway"}),
    ("cortex-policy log h", {"hooks.toml"}),
    ("cortex-policy show h", {"hooks.toml"}),
    ("cortex-policy set h", set()),
    ("cortex-policy log --root ../../other h", set()),
    ("cortex-policy audit show --grant h", {"hooks.toml"}),
    ("cortex-policy undo --to 3 --al", {"--allow-widening"}),
    ("cortex-policy log m", {"model-gateway"}),
    ("cortex-policy show git ", set()),
    ("cortex-policy edit m", {"model-gateway"}),
    ("cortex-policy edit --w", {"--wait"}),
    ("cortex-policy edit --wait 60 g", {"git"}),
    ("cortex-policy diff ", {"git", "hooks.toml", "model-gateway"}),
    ("cortex-policy diff git m", {"model-gateway"}),
    ("cortex-policy diff git --ag", {"--against"}),
    ("cortex-policy diff --against HEAD g", {"git"}),
    ("cortex-policy completions ", {"bash", "zsh", "fish"}),
    ("cortex-policy check missing ", set()),
    ("cortex-policy validate gui", {"guide.md"}),
    ("cortex-policy validate guide.md odd", {"odd $(touch owned) name"}),
    ("cortex-policy validate --ignore scope-d", {"scope-dead"}),
    ("cortex-policy validate --select=file-mi", {"--select=file-missing"}),
    ("cortex-policy validate --output s", {"sarif"}),
    ("cortex-policy validate --st", {"--strict"}),
    ("cortex-policy rule syntax-b", {"syntax-bom"}),
    ("cortex-policy set git --data-class s", {"sensitive"}),
    ("cortex-policy nonsense ", set()),
    ("cortex-policy test --init m", {"model-gateway"}),
    ("cortex-policy test --init ", {"git", "model-gateway"}),
    ("cortex-policy test --root ../../other --init ", {"mail"}),
    ("cortex-policy test --root nowhere --init ", set()),
    ("cortex-policy test --output ", {"text", "json", "junit"}),
    ("cortex-policy test --filter ", set()),
    ("cortex-policy suggest --grant g", {"git"}),
    ("cortex-policy suggest --grant=g", {"--grant=git"}),
    ("cortex-policy replay --fail-on ", {"allow", "deny", "any"}),
    ("cortex-policy replay --with fol", {"folder/"}),
    ("cortex-policy diff --fail-on ", {"widened"}),
    ("cortex-policy diff --against ", {"stamp", "main", "feature/x", "v1.0", "origin/main"}),
    ("cortex-policy diff --against=fea", {"--against=feature/x"}),
    ("cortex-policy diff git --against v", {"v1.0"}),
    ("cortex-policy diff --root ../../other --against ", {"stamp"}),
    ("cortex-policy replay --with fea", {"feature/x"}),
    ("cortex-policy show git --at ", {"7", "12"}),
    ("cortex-policy undo --to 1", {"12"}),
    ("cortex-policy undo --root ../../other --to ", set()),
    ("cortex-policy audit show --grant m", {"model-gateway"}),
    ("cortex-policy audit show --reason rate", {"rate_limited"}),
    ("cortex-policy config set sensitive ", {"allow", "ask", "deny"}),
    ("cortex-policy config set --project require_path f", {"false"}),
    ("cortex-policy config set audit.on_error d", {"deny"}),
    ("cortex-policy config set history.keep ", set()),
    ("cortex-policy config set audit.file gui", {"guide.md"}),
    ("cortex-policy config set validate.ignore scope-d", {"scope-dead"}),
    ("cortex-policy config set nonsense ", set()),
    ("cortex-policy config get history", {"history.keep"}),
    ("cortex-policy approve ", {"1f0c9a7e", "2f0c9a7e"}),
    ("cortex-policy deny --json 2f", {"2f0c9a7e"}),
    ("cortex-policy check git tree --path gui", {"guide.md"}),
    ("cortex-policy check git tree --path=gui", {"--path=guide.md"}),
    ("cortex-policy check git tree --path odd", {"odd $(touch owned) name"}),
    ("cortex-policy list --root fol", {"folder/"}),
]
SCRIPTS = {"bash": "cortex-policy.bash", "zsh": "_cortex-policy", "fish": "cortex-policy.fish"}
COMPINIT = "autoload -Uz compinit && compinit -u -D"
LOADS = [
    pytest.param(("bash", "source {script}"), id="bash"),
    pytest.param(("zsh", COMPINIT + "; source {script}"), id="zsh"),
    pytest.param(("zsh", "fpath=({script.parent} $fpath); " + COMPINIT), id="zsh-fpath", marks=pytest.mark.storm),
    pytest.param(("fish", "source {script}"), id="fish"),
]
ARGUMENTS = {
    "bash": ["--noprofile", "--rcfile", "{rc}", "-i"],
    "zsh": ["-d", "-i"],
    "fish": ["--no-config", "--private", "-C", "source {rc}"],
}
# The command prints its words. ^O puts every candidate on the line, TAB the one there is. What people set is set:
# options that break careless scripts.
RC = {
    "bash": r"""
PS1='> ' HISTFILE= ; set -u; shopt -s failglob
LOAD
bind 'set enable-bracketed-paste off'; bind 'set bell-style none'; bind '"\C-o": insert-completions'
cortex-policy() { local IFS='|'; printf '<<%s>>' "$*"; }
printf '<<ready>>'
""",
    "zsh": r"""
PS1='> ' HISTFILE= ; unsetopt beep prompt_sp prompt_cr; unset zle_bracketed_paste
LOAD
zstyle ':completion:*' insert true; all() { _main_complete _all_matches _complete }
zle -C all complete-word all; bindkey '^O' all; unsetopt auto_remove_slash
cortex-policy() { print -rn -- "<<${(j:|:)@}>>" }
setopt nounset ksharrays shwordsplit rematchpcre
printf '<<ready>>'
""",
    "fish": r"""
function fish_prompt; printf '> '; end; function fish_greeting; end; set -g fish_autosuggestion_enabled 0
LOAD
function cortex-policy; printf '<<%s>>' (string join '|' -- $argv); end
bind \co 'commandline -a -- " "(complete -C (commandline) | string replace -r "\t.*" "" | string join " ")'
printf '<<ready>>'
""",
}


def script(shell: str) -> Path:
    """Return the shipped script of a shell."""
    return CHECKOUT / "completions" / SCRIPTS[shell]


class Terminal:
    """An interactive shell on a pseudo terminal."""

    def __init__(self, shell: str, load: str, home: Path, cwd: Path) -> None:
        rc = home / ".zshrc"
        rc.write_text(RC[shell].replace("LOAD", load.format(script=script(shell))))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "ZDOTDIR": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
            "CORTEX_HITL_STORE": str(home / "hitl.jsonl"),
        }
        arguments = [word.format(rc=rc) for word in ARGUMENTS[shell]]
        self._child = pexpect.spawn(
            shell, arguments, encoding="utf-8", timeout=20, dimensions=(50, 500), cwd=cwd, env=environment, echo=False
        )
        self._child.delaybeforesend = None
        self.read()

    def read(self) -> str:
        """Return what the shell prints between the marks."""
        self._child.expect(r"<<(.*?)>>")
        match = self._child.match
        assert match is not None
        return str(match[1])

    def candidates(self, line: str, key: str) -> set[str]:
        """Type a line, press a key and Enter, and return the words that have come to the line."""
        self._child.send(f"{line}{key}\r")
        typed, words = shlex.split(line)[1:], self.read().split("|")
        before = typed if line.endswith(" ") else typed[:-1]
        return {word for word in words[len(before) :] if word not in ("", *typed[len(before) :])}

    def root(self, directory: str) -> None:
        """Name the root in the environment."""
        self._child.send(f"export CORTEX_POLICY_ROOT={directory}\r")

    def close(self) -> None:
        """End the shell."""
        self._child.close(force=True)


def _commit(root: Path) -> None:
    """Make a repository with branches and tags, some of them hostile; git itself forbids blanks in their names."""
    git = ["git", "-C", str(root), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    for name in (
        "heads/feature/x", "tags/v1.0", "remotes/origin/main", "heads/$(touch${IFS}owned)", "heads/`touch`", "tags/a;b",
        "tags/a'b", 'tags/a"b', "heads/a&b", "heads/a|b", "heads/a$b", "heads/d\u00e9j\u00e0", "tags/(x)", "tags/{a,b}",
    ):  # fmt: skip
        subprocess.run([*git, "update-ref", f"refs/{name}", "HEAD"], check=True)
    subprocess.run([*git, "config", "core.fsmonitor", "touch owned"], check=True)


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make roots with grants, and files beside them that are no grants; return a directory below the first."""
    top = tmp_path_factory.mktemp("completions")
    actions = [
        "tree",
        "snippet",
        "search",
        "repo:sync",
        "repo:send",
        "$(touch owned)",
        "`touch owned`",
        "\x1b[31m",
        "a b",
        "*",
    ]
    grants = {
        "root": {"git": actions, "model-gateway": ["chat"]},
        "other": {"mail": ["send"]},
        "an other": {"quoted": ["x"]},
        "home/home": {"quoted": ["x"]},
    }
    for root, entries in grants.items():
        tools = top / root / ".cortex" / "policy" / "tools"
        tools.mkdir(parents=True)
        for grant, named in entries.items():
            text = {
                "tool": "git-map",
                "args": {"actions": {"type": "string"}},
                "actions": named,
                "rate": {"perMinute": 30},
            }
            (tools / f"{grant}.json").write_text(json.dumps(text, indent=2))
    hostile = ("$(touch owned)", "`touch ow`", "1f0c9a7e;", "*", "\x1b[31mred")
    (top / "home/hitl.jsonl").write_text("".join(
        f'{{"id":"{name}","type":"request","call":"x"}}\n{{"type":"decision","requestId":"{name}"}}\n'
        for name in ("1f0c9a7e", *hostile, "2f0c9a7e")
    ))  # fmt: skip
    tools = top / "root" / ".cortex" / "policy" / "tools"
    (tools.parent / "hooks.toml").write_text("format = 1\n")
    for name in ("$(touch owned)", "`touch owned`", "new\nline", "spaced out", "*", ".hidden", "-q", "\x1b[31mred"):
        (tools / f"{name}.json").write_text("{}")
    (tools / "hostile.json.bak").write_text("{}")
    history = top / "root" / ".cortex" / "policy" / "history"
    history.mkdir()
    for name in ("00000001-v7.json", "00000002-v12.json", "00000003-v$(touch owned).json", "x-v.json", "00000004-v13"):
        (history / name).touch()
    _commit(top / "root")
    docs = top / "root" / "docs"
    (docs / "folder").mkdir(parents=True)
    (docs / "guide.md").touch()
    (docs / "odd $(touch owned) name").touch()
    return docs


@pytest.fixture(scope="module", params=LOADS)
def terminal(request: pytest.FixtureRequest, below: Path) -> Iterator[Terminal]:
    """Start one shell for all lines."""
    shell, load = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here; .ci/run installs it")
    terminal = Terminal(shell, load, below.parent.parent / "home", below)
    yield terminal
    terminal.close()


@pytest.mark.parametrize(("line", "expected"), CASES, ids=[line for line, _ in CASES])
def test_tab_completes_every_candidate(terminal: Terminal, below: Path, line: str, expected: set[str]) -> None:
    """TAB completes the one candidate; where there are more, these are all."""
    assert terminal.candidates(line, "\t" if len(expected) == 1 else "\x0f") == expected
    assert not (below / "owned").exists()


def test_the_root_of_the_environment_is_honoured(terminal: Terminal, below: Path) -> None:
    """It wins over the working directory, and `--root` over it."""
    terminal.root(str(below.parent.parent / "other"))
    assert terminal.candidates("cortex-policy check ", "\t") == {"mail"}
    assert terminal.candidates("cortex-policy check --root .. g", "\t") == {"git"}
    terminal.root("")
    assert terminal.candidates("cortex-policy check g", "\t") == {"git"}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_command_prints_the_shipped_script(shell: str) -> None:
    """Byte for byte; another shell is a usage error."""
    command = [sys.executable, "-m", "cortex_policy", "completions"]
    done = subprocess.run([*command, shell], capture_output=True, check=True)
    assert done.stdout == script(shell).read_bytes()
    assert subprocess.run([*command, "tcsh"], capture_output=True, check=False).returncode == 2
