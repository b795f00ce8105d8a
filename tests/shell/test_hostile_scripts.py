"""What a script does to its own shell, or another user to its pipes, never lets a denied call pass."""

import json
import os
import shutil
from pathlib import Path

import pytest

from cortex_policy.shell.init_script import make_init_script
from tests.shell.test_shells import CALL, COPROCESS, READY, SHELLS, Shell, environment, root, run, used
from tests.support.roots import GIT, grant_file

__all__ = ["root"]
DENIED = "cortex-policy check git push 2>/dev/null"
NAMES = ("name", "number", "text", "variables", "REPLY")


@Shell
@pytest.mark.parametrize("name", [*NAMES, "IFS"])
def test_a_readonly_variable_of_the_script_does_not_skip_its_guard(shell: str, name: str, root: Path) -> None:
    """Bash leaves the whole line where something is assigned to one, and goes on with the next line."""
    (root / "script").write_text(f"""
eval "$(cortex-policy shell-init {shell})"
{READY}
readonly {name}
{CALL} && echo allowed
{DENIED} || exit
echo deploying
""")
    done = run(shell, f"{' '.join(SHELLS[shell])} ./script", root, sources=False)
    assert (done.stdout, done.stderr, done.returncode) == ("allowed\n", "", 10)


@Shell
@pytest.mark.parametrize("name", ["command", "printf", "print", "read", "local", "return", "exec", "emulate"])
def test_a_function_of_the_script_with_the_name_of_a_builtin_allows_nothing(shell: str, name: str, root: Path) -> None:
    """Whether the co-process answers or the program."""
    script = f"function {name} {{ echo mine; }}\n{DENIED}; echo $?\n({DENIED}); echo $?; {CALL}; echo $?\n"
    done = run(shell, READY + script, root)
    assert (done.stdout.split(), done.stderr) == (["10", "10", "0"], "")


@Shell
def test_a_function_named_builtin_allows_nothing(shell: str, root: Path) -> None:
    """Nothing works then, so nothing is allowed."""
    script = f"function builtin {{ :; }}\n{DENIED} && echo allowed\n({DENIED}) && echo allowed\n{DENIED} | cat\n"
    assert run(shell, READY + script, root).stdout == ""


@Shell
@pytest.mark.parametrize("wrapped", ['command builtin "$@"', '"$@"', "false"])
def test_a_function_named_builtin_keeps_no_answer_for_another_check(shell: str, wrapped: str, root: Path) -> None:
    """Where the co-process is not asked, and where it answers late: what is local then is not, and nothing returns."""
    script = f"""
    export CORTEX_SINCE='2026-01-01 00:00:00'
    function builtin {{ {wrapped}; }}
    {CALL} 2>/dev/null
    ({DENIED}) && echo allowed
    cortex-policy check git push --arg text=$(printf %2100s) 2>/dev/null && echo allowed
    kill -STOP $pid
    {CALL} 2>/dev/null; {DENIED} && echo allowed
    kill -CONT $pid; sleep 0.3
    {DENIED} && echo allowed
    echo end
    """
    assert run(shell, f"{READY}{COPROCESS}{script}", root).stdout == "end\n"


@Shell
def test_a_trap_that_checks_does_not_change_the_answer_to_another_check(shell: str, root: Path) -> None:
    """When the answer is there and not yet returned."""
    options = "set -T" if shell == "bash" else ":"
    script = f"""
    {options}
    trap '[[ ${{__cortex_policy_answer-}}${{__cortex_policy_code-}} != *10* ]] || {{ text=1 number=2 code=0 name=3; {CALL}; }}' DEBUG
    {DENIED}; result=$?
    trap - DEBUG
    echo $result
    """
    assert run(shell, READY + script, root).stdout == "10\n"


@Shell
def test_a_trap_of_the_script_has_its_own_descriptors_while_a_check_waits(shell: str, root: Path) -> None:
    """What it writes there is lost else, and may be taken for an answer."""
    script = f"""
    exec 3>third 4>fourth
    trap 'echo "2 00." >&3; echo trapped >&4' USR1
    kill -STOP $pid
    ( sleep 0.3; kill -USR1 $$; sleep 0.3; kill -CONT $pid ) &
    {DENIED}; echo $?
    wait
    """
    done = run(shell, f"{READY}{COPROCESS}{CALL}\n{script}", root)
    assert (done.stdout, done.stderr) == ("10\n", "")
    assert ((root / "third").read_text(), (root / "fourth").read_text()) == ("2 00.\n", "trapped\n")


@Shell
@pytest.mark.parametrize("late", ["1 00.", "5 00.", "14 00.", "113 00.", "13", "1 00+\\0\\0"])
def test_an_answer_to_another_question_is_not_taken(shell: str, late: str, root: Path) -> None:
    """The question is the thirteenth, whose answer comes after the other one."""
    script = f"""
    for i in {{1..12}}; do {CALL}; done
    exec 9<>$__cortex_policy_pipes/answers
    printf '{late}' >&9
    {DENIED}; echo $? $__cortex_policy_state
    {DENIED}; echo $?
    """
    assert run(shell, READY + script, root).stdout.split() == ["10", "busy", "10"]


@Shell
def test_a_trace_of_the_script_shows_the_check_and_not_how_it_is_made(shell: str, root: Path) -> None:
    """And goes on after it, whoever answers."""
    script = f"set -x\n{CALL}\n{DENIED}\n: $({CALL})\n: on\n"
    lines = run(shell, READY + script, root).stderr.splitlines()
    assert sum("cortex-policy check" in line for line in lines) == 3
    assert lines[-1].endswith(": on")
    assert not [line for line in lines if "__cortex_policy" in line]


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_posix_mode_after_the_script_changes_nothing_and_before_it_ends_the_shell(root: Path) -> None:
    """It has no functions with such a name, and a guard must not be passed without one."""
    after = run("bash", f"{READY}set -o posix\n{CALL}; echo $?\n{DENIED}; echo $? $__cortex_policy_state\n", root)
    assert (after.stdout.split(), after.stderr) == (["0", "10", "ready"], "")
    script = f'set -o posix\neval "$(cortex-policy shell-init bash)"\n{CALL} && echo allowed\n'
    before = run("bash", script, root, sources=False)
    assert before.stdout == ""
    assert before.returncode != 0


@Shell
def test_variables_of_the_first_check_are_forgotten(shell: str, root: Path, tmp_path: Path) -> None:
    """The co-process starts with them in its environment, also if it is never told others."""
    empty = (
        f"unset {' '.join(name for name in os.environ if name.startswith('CORTEX_'))} HOME XDG_CONFIG_HOME TRACEPARENT"
    )
    script = f"""
    {empty}
    CORTEX_POLICY_ROOT={tmp_path}/nowhere {READY.lstrip()}
    {CALL}; echo $? $__cortex_policy_state
    """
    assert run(shell, script, root).stdout == "0 ready\n"


@Shell
def test_what_is_not_exported_is_not_followed(shell: str, root: Path) -> None:
    """No shell exports an array; a name may be declared without a value."""
    more = {"bash": "declare -n CORTEX_C=CORTEX_B\nexport CORTEX_B=1\nunset CORTEX_B\ndeclare -x CORTEX_D\n", "zsh": ""}
    script = f"set -u\ndeclare -ax CORTEX_POLICY_ROOT=(/nowhere)\n{more[shell]}{CALL}; echo $? $__cortex_policy_state\n"
    done = run(shell, READY + script, root)
    assert (done.stdout, done.stderr) == ("0 ready\n", "")


@Shell
def test_a_value_that_holds_the_separator_of_variables_is_one_value(shell: str, root: Path) -> None:
    """The program answers, since the co-process could not tell."""
    script = f"""
    export TRACEPARENT=$'x\\x1fCORTEX_POLICY_ROOT=x=/nowhere'
    {CALL}; echo $? $__cortex_policy_state
    export CORTEX_POLICY_ROOT=$'/nowhere\\x1fHOME=x=/'
    {CALL} 2>/dev/null; echo $? $__cortex_policy_state
    """
    assert run(shell, READY + script, root).stdout.split() == ["0", "ready", "25", "ready"]


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize("option", ["nocasematch", "extglob"])
def test_variables_whose_names_differ_in_case_are_two(option: str, root: Path) -> None:
    """Also where bash matches words without case, and where the other one is declared to be a reference."""
    script = f"""
    shopt -s {option}
    code() {{ {CALL} 2>/dev/null; echo $?; }}
    export CORTEX_policy_ROOT=/nowhere; code; unset CORTEX_policy_ROOT
    export CORTEX_POLICY_ROOT=/nowhere; code; unset CORTEX_POLICY_ROOT
    declare -n CORTEX_POLICY_ROOT=TERM; code; unset -n CORTEX_POLICY_ROOT
    export CORTEX_POLICY_ROOT=/nowhere; code; code
    echo $__cortex_policy_state
    """
    assert run("bash", READY + script, root).stdout.split() == ["0", "25", "0", "25", "25", "ready"]


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_a_local_variable_of_bash_that_children_do_not_get_hides_nothing(root: Path, tmp_path: Path) -> None:
    """They get the exported one that it hides, so the rules of that root decide."""
    script = f"""
    code() {{ {CALL} 2>/dev/null; echo $?; }}
    set -u
    export CORTEX_POLICY_ROOT={strict_root(root, tmp_path)}
    unset_here() {{ local CORTEX_POLICY_ROOT; code; }}; unset_here
    not_exported() {{ local +x CORTEX_POLICY_ROOT={root}; code; }}; not_exported
    taken_away() {{ local CORTEX_POLICY_ROOT={root}; unset CORTEX_POLICY_ROOT; code; }}; taken_away
    another() {{ local CORTEX_POLICY_ROOT={root}; code; }}; another
    unset CORTEX_POLICY_ROOT
    export XDG_CONFIG_HOME={invalid_settings(tmp_path)}
    without() {{ local XDG_CONFIG_HOME; unset XDG_CONFIG_HOME; code; }}; without
    unset XDG_CONFIG_HOME
    here=relative; export CORTEX_POLICY_STATE_DIR={tmp_path}/state
    reference() {{ local -n CORTEX_POLICY_STATE_DIR=here; code; }}; reference
    echo $__cortex_policy_state
    """
    assert run("bash", READY + script, root).stdout.split() == ["10", "10", "10", "0", "27", "24", "ready"]


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_a_trap_that_skips_commands_of_bash_allows_nothing(root: Path) -> None:
    """Bash takes a skipped command for one that has succeeded."""
    traps = ("== *check*", "!= \\[*", "!= *return*", "!= *exec*", "!= __cortex*", "!= *finish*")
    script = "shopt -s extdebug\n" + "".join(
        f"trap '[[ $BASH_COMMAND == echo* || $BASH_COMMAND == trap* || $BASH_COMMAND {one} ]]' DEBUG\n{DENIED} && echo allowed\n"
        for one in traps
    )  # fmt: skip
    script += f"trap - DEBUG\n{DENIED}; echo $?\n{CALL}; echo $?\n"
    assert run("bash", READY + script, root).stdout.split() == ["10", "0"]


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_variables_of_zsh_are_as_children_get_them(root: Path, tmp_path: Path) -> None:
    """Whatever the script names `parameters`, cuts, or ends by a NUL."""
    script = f"""
    code() {{ {CALL} 2>/dev/null; echo $?; }}
    export CORTEX_POLICY_ROOT={strict_root(root, tmp_path)}
    other() {{ local -A parameters; code; }}; other
    unset CORTEX_POLICY_ROOT
    typeset -xL{len(str(root))} CORTEX_POLICY_ROOT={root}/nowhere; code
    unset CORTEX_POLICY_ROOT
    export TRACEPARENT=$'a\\0b'; code
    cortex-policy check git tree --path $'docs/x\\0y'; echo $?
    echo $__cortex_policy_state
    unset TRACEPARENT
    unset_here() {{ local -x CORTEX_POLICY_STATE_DIR; code; }}; unset_here
    export CORTEX_POLICY_STATE_DIR=; code
    echo $__cortex_policy_state
    """
    done = run("zsh", READY + script, root)
    assert done.stdout.split() == ["10", "25", "0", "0", "ready", "0", "24", "ready"]


def strict_root(root: Path, tmp_path: Path) -> Path:
    """Make a root that allows nothing of what the other one allows."""
    strict = tmp_path / "strict"
    shutil.copytree(root / ".cortex", strict / ".cortex")
    grant_file(strict).write_text(json.dumps({**GIT, "actions": ["other"]}))
    for file in (strict, strict / ".cortex", strict / ".cortex/policy", strict / ".cortex/policy/tools"):
        file.chmod(0o755)
    return strict


def invalid_settings(tmp_path: Path) -> Path:
    """Make settings of a user that deny every check."""
    (tmp_path / "strict-settings/cortex-policy").mkdir(parents=True)
    (tmp_path / "strict-settings/cortex-policy/config.toml").write_text("unknown = 1\n")
    return tmp_path / "strict-settings"


@Shell
def test_other_variables_at_each_check_leave_nothing_open(shell: str, root: Path) -> None:
    """A user has few queues of events, and a process few descriptors."""
    script = f"""
    {COPROCESS}
    for TRACEPARENT in {{1..20}}; do export TRACEPARENT; {CALL} || echo denied; done
    ls -l /proc/$pid/fd | grep -c inotify
    """
    assert int(run(shell, READY + script, root).stdout) <= 2


@Shell
def test_an_output_that_nobody_reads_does_not_end_the_shell(shell: str, root: Path) -> None:
    """The program ends with its code, too."""
    script = """
    exec 8> >(:); sleep 0.2
    cortex-policy check git tree --json >&8; echo $?
    cortex-policy check git push 2>&8; echo $?
    cortex-policy check git push 2>&-; echo $?
    cortex-policy check git push 2>/dev/full; echo $?
    cortex-policy check git tree --json >&-; echo $?
    echo $__cortex_policy_state
    """
    done = run(shell, READY + script, root)
    assert (done.stdout.split(), done.stderr) == (["0", "10", "10", "10", "0", "ready"], "")


@Shell
def test_a_new_version_of_the_program_ends_the_old_co_process(shell: str, root: Path) -> None:
    """It would go on with the code of the old one, or with a mixture."""
    import cortex_policy.shell.server as server  # noqa: PLC0415, PLR0402

    file = Path(server.__file__)
    script = f"""
    {COPROCESS}
    touch {file}
    {CALL}; echo $? $__cortex_policy_state
    for try in {{1..300}}; do kill -0 $pid 2>/dev/null || break; sleep 0.02; done
    kill -0 $pid 2>/dev/null || echo gone
    """
    assert run(shell, READY + script, root).stdout.split() == ["0", "ready", "gone"]
    assert used(root) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a directory of another user")
@Shell
@pytest.mark.parametrize("theirs", ["everything", "pipes", "parent", "link"])
def test_the_pipes_of_another_user_are_not_asked(shell: str, theirs: str, root: Path, tmp_path: Path) -> None:
    """Who makes the directory first sees its name in the list of processes, and could answer anything.

    Also by links to a file of ours that holds an answer, and by a link in place of the directory.
    """
    parent, ours = tmp_path / "parent", tmp_path / "ours"
    (tmp_path / "upload").write_text("1 00.")
    taken = {"everything": f"-R 12345 {parent}", "pipes": "12345 $pipes/questions $pipes/answers"}
    script = f"""
    pipes=$__cortex_policy_pipes
    [[ {theirs} != link ]] || {{ mkdir {ours}; ln -s {ours} {parent}; }}
    mkdir -p $pipes; mkfifo $pipes/questions
    [[ {theirs} != @(parent|link) ]] || ln -s {tmp_path}/upload $pipes/answers
    [[ {theirs} == @(parent|link) ]] || mkfifo $pipes/answers
    chown -h {taken.get(theirs, f"12345 {parent}")}
    [[ {theirs} == @(parent|link) ]] || {{ exec 9<>$pipes/answers; printf '1 00.' >&9; }}
    {DENIED}; echo $?
    """
    script = script.replace("@(", "(") if shell == "zsh" else script
    text = make_init_script(shell).replace(environment()["DIRECTORY"], str(parent))
    assert run(shell, text + script, root, sources=False).stdout == "10\n"


@Shell
def test_a_word_that_looks_like_the_end_of_a_question_is_a_word(shell: str, root: Path) -> None:
    """Also in a long question, which is read in parts."""
    script = f"""
    for i in {{1..200}}; do words+=(--path .); done
    cortex-policy check git tree "${{words[@]}}" 2>/dev/null; echo $?
    {CALL}; echo $? $__cortex_policy_state
    """
    assert run(shell, READY + script, root).stdout.split() == ["12", "0", "ready"]
