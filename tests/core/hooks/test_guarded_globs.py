"""Words of a shell command that the shell may expand to a guarded name, and directories that a command may move."""

import pytest

from cortex_policy.core.hooks.guarded_globs import find_expandable_command_denial_text
from tests.support.hook_calls import bash, ruling


@pytest.mark.parametrize(
    "command",
    [
        "cat .env*", "cat .e?v", "cat .en[v]", "cat .e{nv,}", "rm -rf .c*", "rm -rf .[c]ortex", "rm -rf .*", "rm -rf .??*",
        "cp -r .[!.]* /tmp", "cat .c??tex/policy/hooks.toml", "cat .claude/*", "cat .cla*/settings.json", "cat < .e*",
        "cat .claude/s*.json", "cat x/.gith*/hooks/y", "x=$(cat .E*)", "cat .env$x", "cat .env${x}",
        'cat ".$(echo env)"', "cat .$'\\x65'nv", "cat .e`echo nv`", "rm -r .cor$x", "cat .claude/$f", "cat ~/.codex$x/config.toml", 'cat <<< "$(cat .e*)"', "cat .{e,x}{nv,y}",
        "cat ~/.cod*/config.toml", "rm .{a,b}{c,d}{e,f}{g,h}{i,j}{k,l}{m,n}{o,p}{q,env}*",
    ],
)  # fmt: skip
def test_a_word_that_may_become_a_guarded_name_is_denied(command: str) -> None:
    """A wildcard, a set of characters, braces."""
    assert find_expandable_command_denial_text(command)
    assert "guarded" in ruling(bash(command)).denial


@pytest.mark.parametrize(
    "command",
    [
        "mv .claude x",
        "rm -r .github",
        "rm -rf ~/.claude/",
        "git mv .vscode x",
        "git rm -r .github",
        "rm -r .cl*",
        "ln -s .cursor x",
    ],
)
def test_a_directory_with_guarded_files_may_not_be_moved(command: str) -> None:
    """Nor removed, linked or replaced."""
    assert find_expandable_command_denial_text(command)


@pytest.mark.parametrize(
    "command",
    [
        "ls *", "rm *.pyc", "cat .github/workflows/*.yml", "find . -not -path './.*'", "cp .eslintrc* x", "cat .env.*",
        "git add .github", "ls .github", "ls -la .claude", "mkdir -p .github/workflows", "cat .codex/skills/*.md", "echo .",
        "cp a .vscode/settings.json", "git log -- .vscode", "rm -f .cache*", "echo '.e*'", "cat $x", 'cat "$HOME/.config/x"', "cat .env.$x", "cat file.$ext", "cat ./$f", "ls .venv/bin/$x", "cat ~/.$x-rc",
        "ls .claude && cat settings.json", "cat x/.*rc",
    ],
)  # fmt: skip
def test_other_words_are_not_denied(command: str) -> None:
    """Quotes keep a shell from expanding; to look at a directory moves nothing."""
    assert not find_expandable_command_denial_text(command)
    assert not ruling(bash(command)).denial


@pytest.mark.parametrize(
    "command", ["env -C .claude cat settings.json", "git -C .claude show :settings.json", "cd .cursor; rm hooks.json"]
)
def test_a_name_beside_its_directory_is_guarded(command: str) -> None:
    """A program may enter the directory."""
    assert "is guarded" in ruling(bash(command)).denial
