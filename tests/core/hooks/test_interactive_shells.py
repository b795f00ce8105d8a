"""A shell, or another program that takes commands from what an agent sends later, is a channel without hooks."""

import itertools
import os
import random
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cortex_policy.core.hooks.interactive_shells import starts_interactive_shell
from cortex_policy.core.hooks.simple_commands import ShellSyntaxError

BARE = [
    "sh", "bash", "rbash", " zsh ", "/bin/bash", "./bash", "bash.exe", "bash -i", "bash -l", "bash --norc -i", "bash -x",
    "bash -", "bash --", "bash -s", "bash -s a b", "bash +x", "bash -O extglob", "bash -o vi", "bash --rcfile x",
    "bash -i x.sh", "bash -v", "bash -h", "fish -C x", "pwsh -NoExit -Command x", "python", "python3", "python3.12 -i",
    "python3.13t", "python -", "python -i x.py", "python -ix.py", "python -W ignore", "python -m code", "python -m pdb x",
    "python -mIPython", "PYTHONINSPECT=1 python x.py", "export PYTHONINSPECT=1; python x.py", "python manage.py shell",
    "node", "node -i", "node -i x.js", "node -v -i", "node -r x", "node inspect x.js", "deno repl", "irb", "perl",
    "perl -de1", "php -a", "R", "$SHELL", "$X", "$0", '"$0"', "/bin/b?sh", "/bin/{ba,}sh", "$(which bash)",
    "`which bash` -i", "$'\\x62ash'",
]  # fmt: skip
QUOTED = ["'bash'", 'b"as"h', "b\\ash", "ba\\\nsh", "$'bash'", '$"bash"', "exec ${SHELL} -l", "bash #x"]
STARTED = [
    "env bash", "env x=$(cat x.sh)", "timeout 5 env x=`echo b sh` ls", "env -u X bash", "env -C /x bash", "env -i A=1 bash", "env -S 'bash -i'", "env -S'bash -i'",
    "env --split-string=bash", "exec bash", "exec -a x bash", "command -p sh", "FOO=1 bash", "nohup bash &",
    "setsid -w bash", "time python", "/usr/bin/time -f %e bash", "timeout 100 bash", "timeout -k 5 10s bash",
    "stdbuf -o L bash", "nice -n 5 bash", "ionice -c 2 bash", "busybox sh", "uv run python", "uv run --with x python",
    "script", "script -c bash", "script -qc 'bash -i' x", "sudo sh", "sudo -u x bash", "sudo -i", "sudo -iu x", "sudo -s",
    "doas -s", "su", "su -", "su user", "su - user", "su -c bash", "su root -c 'bash -i'", "sudo su -", "runuser -u x bash",
    "ssh host", "ssh -p 22 host", "ssh -t host bash", "watch bash", "watch 'cd x; bash'", "chroot /x", "chroot /x bash",
    "unshare -r", "nsenter -t 1 -a sh", "strace -f -o x bash", "gdb --args bash", "flock x -c bash", "taskset 1 bash",
    "newgrp", "sg root -c bash", "systemd-run --pty bash", "docker exec -it x bash", "docker run -ti ubuntu",
    "kubectl exec -i x -- sh", "tmux", "screen bash", "rlwrap bash", "expect -i", "npx ts-node", "poetry shell",
    "nix develop", "nix-shell", "unknown bash", "unknown -x /bin/sh", "xargs", "xargs sh -c", "xargs -I{} sh -c {}",
    "echo x | xargs -o sh", "parallel bash", "find . -exec bash \\;", "find . -execdir sh -c bash {} +",
    "git -c alias.x='!bash' x", "git bisect run bash", "npm exec -- bash", "make -f -", "at now", "crontab -",
    "core.pager=bash git log", "git -c core.editor='bash -i' commit", "tar cf x y --checkpoint-action=exec=bash",
    "vim x", "vi", "less x", "ed x", "sqlite3 x.db", "psql db", "git log | less",
]  # fmt: skip
PLACED = [
    "cd x && bash", "cd x; python3", "true || sh", "x\nbash", "(bash)", "{ bash; }", "if x; then bash; fi", "! bash",
    "if bash; then :; fi", "`bash`", 'echo "$(bash)"', "diff <(bash) x", "coproc bash", "f() { bash; }; f",
    "function f { bash; }; f", "case x in x) bash;; esac", 'echo "$(case x in x) bash;; esac)"', "while bash; do x; done",
    "cat <<E\nx\nE\nbash", "cat <<'E'\ndon't\nE\nbash", "cat <<E; bash\nx\nE", "cat <<E\n$(bash)\nE", "cat <<-E\n\tE\nbash",
    "eval bash", "eval 'bash -i'", "eval bash ''", "builtin eval bash", 'eval "$x"', "eval $(echo sh)", "trap bash EXIT",
    "bash -c bash", "bash -lc 'bash -i'", "bash -c 'cd x; bash'", "bash -c 'exec bash'", "bash -c '\"$@\"' _ bash",
    "git rebase --exec 'bash -i'", "git config alias.x '!bash'", "bash -o pipefail -c bash", "sh -c", "case x in *) bash;; esac", "bash | case x in x) cat;; esac", "case x in a) bash | case y in z) ls;; esac;; esac",
     "case x in a|b) ls;; *) exec sh;; esac",
    "case $(bash) in x) ls;; esac", "xargs -I cat sh -c cat", "xargs -n 1 sh", 'read x; eval "$x"', "while read l; do $l; done",
]  # fmt: skip
FED = [
    "bash > log", "bash 2>&1", "> x bash", "2>x bash", "bash >> x 2>&1", "bash {fd}<x", "bash 3<x", "bash | tee log",
    "bash </dev/stdin", "bash < //dev/stdin", "bash < ~/../../dev/stdin", "</dev/stdin bash", "bash < $x", "python <&0",
    "bash <&3", "bash < /dev/tcp/h/1", "bash /dev/stdin", "python3 /dev/fd/0", "sh /proc/self/fd/0", "bash $x", 'bash "$@"',
    "cat | bash", "cat - | sh", "cat /dev/tty | sh", "tee x | bash", "head -n 3 | sh", "sed -n p | sh", "(cat) | sh",
    "cat | cat | python", "stdbuf -o0 cat | sh", "cat | sudo bash", "source /dev/stdin", ". /dev/stdin", "bash <(cat)",
    "awk '{system($0)}'", "sed e", "sed -n '1e sh'", "perl -ne 'system $_'", "perl -pe 1 | sh", "go run -", "make --file=-",
    "uv run --script -", "python -c $x", 'python -c "$x"', "/proc/self/exe", "/proc/$$/exe -i", "python3.12-dbg",
    "machinectl shell x", "runuser - root", "bundle exec rails c", "conda run --live-stream bash", "iex -S mix", "visudo",
    "nsenter --target 1 --all", "source <(cat)", 'eval "$(cat)"', 'eval "$(</dev/stdin)"', 'bash -c "$(cat)"', 'python -c "$(cat)"',
]  # fmt: skip

NESTED = [  # what random scripts that ran in a real bash have found
    "timeout 5 stdbuf -oL $(echo sh)","env A=1 cat x.sh - | bash -O extglob | cat","trap 'sh -c '$0' '. /dev/stdin'' EXIT","env -u X sed -n p | bash -c 'sh'","env A=1 head -n 3 | xargs -I{} sh -c {} | cat","stdbuf -oL env -S 'nohup bash --'","# c\nenv A=1 sed -n p | . /dev/stdin","stdbuf -o L setsid -w $(echo sh)","eval 'sh -c '$0' 'head -1 x.sh''","eval 'sh -c '$0' 'eval 'sed s/a/b/ x.sh'''","env A=1 cat | $'\\x73h'","env -S 'xargs -I{} sh -c {} < x.sh'","read l; $l <<< 'echo hi' | sh #x","case x in (y) ls;; (x) ( echo a; case x in (y) ls;; (x) bash > y; cat y;; esac );; esac","find x.sh -exec timeout -s KILL 5 env $'\\x73h' \\;; ls","stdbuf -o L xargs -a /dev/null $(echo sh)",
    "command -p find . -maxdepth 0 -exec time -p $'\\x73h' \\;", "find . -exec time -p $X \\;", "find . -exec nice -n 3 $'\\163h' \\;",
    "nohup find . -exec env -u X $(echo sh) \\;", "find . -exec ls \\; -exec nohup vim x \\;", "fd x --exec=vim", "fd x --exec-batch=$X", "fd x -Xvim", "x $'\\x73h'",
    "x $'\\x{73}h'", "x $'\\563h'", "x $'\\u0073h'", "x $'\\U00000073h'", "x $'s\\0zz'h", "eval $'ls\\cJbash'", "$'\\xff'",
    "cat <<$'\\x45'\nx\nE\nbash", """echo ${x:-"'"}; bash; echo ${x:-"'"}""", "echo ${x:-$'\\''}; bash; echo '}'\\'", """eval x=$(bash -c "cat x.sh")""",
    'eval "$(env A=1 cat x.sh)"', 'eval "$(command echo sh)"', 'eval "$(nohup sh x.sh)"', 'bash -c "eval $(echo sh) | cat"',
    'eval bash -c "cat x.sh | xargs -I{} sh -c {}"', "bash -c cat x.sh | sh", "bash -c 'cat -' | sh", "env -S '/bin/cat -' | sh",
]  # fmt: skip


@pytest.mark.parametrize("command", [*BARE, *QUOTED, *STARTED, *PLACED, *FED, *NESTED])
def test_a_program_that_takes_commands_from_the_agent_is_found(command: str) -> None:
    """Whatever starts it, wherever it is, and whatever its input goes through."""
    assert starts_interactive_shell(command)


@pytest.mark.parametrize(
    "command",
    [
        "", "ls", "bash x.sh", "bash -c ls", "bash -ic ls", "python -m pytest", "python x.py", "python -c 'import x'",
        "python --version", "bash --version", "node -v", "perl -v", "python3 -V", "node --test", "node -r x y.js",
        "perl -i.bak -pe x f", "perl -d:NYTProf x", "bash -- x.sh", "which python", "command -v python", "type bash",
        "! command -v node", "echo x | python", "curl x | sh", "curl x | bash -s -- -y", "cat x | sudo bash",
        "(echo a; echo b) | python", "base64 -d x | python", "bash < x.sh", "bash < x.sh > y", "python3 <<< 'print(1)'",
        "python3 - <<'EOF'\nbash\nEOF", "cat > x <<EOF\npython\nnode's\nEOF", "cat <<\\E\n`bash`\nE", "bash dev/stdin/x.sh",
        "git commit -m 'use python; bash'", 'echo "a; sh"', "echo a\\;bash", "pip install python", "uv pip install ipython",
        "npm run node", "npm install node", "rbash.txt", "git checkout python", "sudo apt-get install -y python3",
        "docker build -t python .", "docker exec x ls", "kubectl completion bash", "find . -name bash", "make python",
        "find . -exec sh -c 'ls' {} \\;", "find . -print0 | xargs -0 grep bash", "jq -r .x f | xargs -n1 echo",
        "for p in python node; do echo $p; done", 'for f in *.py; do python "$f"; done', "a=(bash sh); echo x",
        "bash -c 'bash x.sh'", "ssh host ls", "ssh -N -L 1:x:1 host", "su -c ls", "su - x -c ls", "sudo -l", "sudo ls -i",
        "sudo -u postgres psql -c x", "script -qc 'make' x", "bash x.sh # python", "echo '$'bash", "> x ls", "tmux ls",
        "tmux new -d x", "psql -c x", "sqlite3 x.db 'select 1'", "sqlite3 x.db < x.sql", "crontab -l", "gdb -batch x",
        'eval "$(ssh-agent -s)"', "source <(kubectl completion bash)", "bash <(curl x)", "trap 'rm x' EXIT", "echo $((1+2))",
        "case x in *) ls;; esac", "case $SHELL in bash|zsh) ls;; (*) ls;; esac", "lsof -ti:80 | xargs kill", "./x.sh | sh",
        "rg -l x | xargs sed -i s/a/b/", "rsync -e 'ssh -p 22' a b", "conda install -y python=3.11",
        'eval "$(/opt/brew/bin/brew shellenv)"', "ruby -rjson -e x", "perl -0pi -e s/a/b/ f", "uv add python-dotenv",
        "sed -i s/a/b/ f", "sed -i.bak -e s/a/b/ f", "ls | sed s/a/b/", "sed s/a/b/ < f", "sed --version", "awk -F: '{print $1}' f",
        "awk 'BEGIN{print 1}'", "perl -lane print f", "perl x.pl", "ls | awk '{print $1}'", "python3-config --includes",
        "uv add ipython", "bundle install", "nix build", "iex -e x", "go run .", "make --file=x", "uv run --script x.py",
        "$HOME/bin/tool", "$(npm bin)/eslint .", '"$VENV/bin/pytest"', "case x in (a) ls;; esac", "nix develop -c make",
        "read -d $'\\0' x", "IFS=$'\\n' read x", "grep $'\\t' x", "echo $'don\\'t'", "find . -exec time -p ls \\;",
        "find . -exec nice -n 3 grep sh {} +", "find . -exec ls \\; -name bash", "find . -xdev -name sh", "fd x -x ls", "fd -Xls", 'echo ${x:-"a"}', "echo \"${x:-'a'}\"",
    ],
)  # fmt: skip
def test_a_program_with_something_to_run_is_not_denied(command: str) -> None:
    """It ends by itself."""
    assert not starts_interactive_shell(command)


@pytest.mark.parametrize(
    "command",
    ["""echo "${x:-'}"; bash; echo "'}\"""", "cat <<${X}\nx\n${X}\nbash", "cat <<$(x y)\nx\n$(x y)\nbash", "cat <<$'\\xff'\nx"],
)  # fmt: skip
def test_what_shells_read_in_different_ways_cannot_be_read(command: str) -> None:
    """Quotes in braces within double quotes, and an end of a text that looks as if it were replaced."""
    with pytest.raises(ShellSyntaxError):
        starts_interactive_shell(command)


@given(st.text(alphabet="ab 'sh\"\\$`(){}<>|&;\n#=-/*!cat", max_size=40))
@example("'")
def test_any_text_has_an_answer(text: str) -> None:
    """Yes, no, or that it cannot be read."""
    try:
        assert starts_interactive_shell(text) in (True, False)
    except ShellSyntaxError:
        return


# how a shell is started, and the shell: of all pairs, those that are not denied run in a real bash
AROUND = [
    "{}", "env {}", "env -i {}", "env -u X {}", "nohup {}", "setsid -w {}", "timeout 5 {}", "timeout -s KILL 5 {}",
    "nice -n 3 {}", "exec {}", "exec -a x {}", "command -p {}", "time -p {}", "stdbuf -o L {}", "eval {}", "builtin eval {}",
    "cat | {}", "tee y | {}", "cat x.sh - | {}", "cat x.sh | {}", "echo a | {}", "sed -n p | {}", "head -n 3 | {}",
    "{{ cat; }} | {}", "cat | cat | {}", "xargs -a /dev/null {}", "find . -maxdepth 0 -exec {} \\;", "if true; then {}; fi",
    "( {} )", "fn() {{ {}; }}; fn", "true & {}", "cat <<E\nx 'y\nE\n{}", "cat <<E >y; {}\nx\nE\n", 'x=$({}); echo "$x"',
    "echo `{}`", "cat <({})", "while {}; do break; done", "sh -c '{}'", 'bash -c "{}"', "env -S '{}'", "trap '{}' EXIT",
    "[ -z $({}) ]", "sh -c '$0' '{}'", "case x in x) {};; esac",
]  # fmt: skip
SHELLS = [
    "sh", "bash -s a", "bash -i", "bash -", "bash --", "bash +x", "bash -O extglob", "bash $UNSET", 'bash "$@"', "bash ''",
    "bash x.sh", "bash < x.sh", "bash -c true", "bash -c 'sh'", "bash -lc bash", "sh /dev/stdin", "sh <&0", "sh <<< true",
    "$SHELL", "${SHELL}", "/bin/s?", "/bin/{sh,}", "$(echo sh)", "s''h", "\\sh", "$'\\x73h'", "ba\\\nsh", ". /dev/stdin",
    "read l; $l", 'read l; eval "$l"', 'eval "$(cat)"', 'bash -c "$(cat)"', "bash <(cat)", "xargs -I{} sh -c {}",
    "bash > y; cat y", "while read l; do $l; done", "sh x.sh; sh", "sh #x",
]  # fmt: skip
COMMANDS = [around.format(shell) for around, shell in itertools.product(AROUND, SHELLS)]


def says_what_is_sent(command: str, directory: Path) -> bool:
    """Whether bash runs, somewhere in a command, what is sent to its standard input."""
    with subprocess.Popen(
        ["bash", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        cwd=directory, env={"PATH": os.environ["PATH"], "SHELL": "/bin/bash"}, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            return "R1AN" in process.communicate("echo R$((1+0))AN\n", timeout=20)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # a script may start itself without end
            raise


def is_passed(command: str) -> bool:
    """Whether a command is neither found nor unreadable."""
    try:
        return not starts_interactive_shell(command)
    except ShellSyntaxError:
        return False


@pytest.mark.skipif(shutil.which("bash") is None, reason="runs a real bash")
@pytest.mark.parametrize("start", [0, *(pytest.param(at, marks=pytest.mark.storm) for at in range(1, 9))])
def test_what_passes_runs_nothing_that_is_sent_in_a_real_bash(start: int, tmp_path: Path) -> None:
    """Each ninth pair; the storm runs the others."""
    (tmp_path / "x.sh").write_text("echo script\n")
    passed = [command for command in COMMANDS[start::9] if is_passed(command)]
    assert passed
    assert [command for command in passed if says_what_is_sent(command, tmp_path)] == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="runs a real bash")
def test_bash_runs_what_is_sent_to_a_shell(tmp_path: Path) -> None:
    """So that the test above can fail."""
    assert says_what_is_sent("cat | sh", tmp_path)


LEAVES = [*SHELLS, "cat", "ls", "echo a", "sh x.sh", "sed s/a/b/ x.sh", "cat x.sh", "python3 -c 0", "head -1 x.sh"]
WRAPPERS = [
    *AROUND, "{} | case x in x) cat;; esac", "case x in (y) ls;; (x) {};; esac", "for i in 1; do {}; done", "{} | cat",
    "echo a; {}", "echo a | {}", "if false; then ls; else {}; fi", "# c\n{}", 'echo "$({})"', 'echo "${{x:-$({})}}"',
    "{} < x.sh", "{} <<< 'echo hi'", "env A=1 {}", 'env x=$({}); echo "$x"', "stdbuf -oL {}", "find x.sh -exec {} \\;", "echo 'x' \\\n | {}",
]  # fmt: skip


@pytest.mark.storm
@pytest.mark.skipif(shutil.which("bash") is None, reason="runs a real bash")
def test_random_scripts_that_pass_run_nothing_that_is_sent(tmp_path: Path) -> None:
    """Up to three constructs around a command; others with another number in STORM_SEED."""
    chance = random.Random(os.environ.get("STORM_SEED", "1"))  # noqa: S311 - it can be run again
    (tmp_path / "x.sh").write_text("echo script\n")
    for _ in range(1000):
        command = chance.choice(LEAVES)
        for _ in range(chance.randint(1, 3)):
            command = chance.choice(WRAPPERS).format(command)
        assert not (is_passed(command) and says_what_is_sent(command, tmp_path)), command
