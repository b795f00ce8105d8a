# fish completion for cortex-policy; made by scripts/generate.py
# Grant ids and actions are read here: starting Python on every TAB would take 150 ms.
# Only plain words are ever offered: the name of a file and the text of a grant are nobody's code.

function __cortex_policy_plain -d 'the plain words before the cursor, the command first'
    set -l words (commandline -opc)
    set -e words[1]
    set -l skip 0
    for word in $words
        if test $skip = 1
            set skip 0
        else if contains -- $word @valued@
            set skip 1
        else if not string match -q -- '-*' $word
            printf '%s\n' $word
        end
    end
end

function __cortex_policy_tools -d 'the directory of grants, of --root, the environment, or above the working directory'
    set -l words (commandline -opc)
    set -l dir $CORTEX_POLICY_ROOT
    for index in (seq (count $words))
        switch $words[$index]
            case --root
                set dir $words[(math $index + 1)]
            case '--root=*'
                set dir (string replace -- --root= '' $words[$index])
        end
    end
    set dir (string replace -r '^~/' "$HOME/" -- "$dir")
    if test -z "$dir"
        set dir $PWD
        while test -n "$dir"; and not test -d "$dir/.cortex/policy"
            set dir (string replace -r '/[^/]*$' '' -- "$dir")
        end
    end
    printf '%s' "$dir/.cortex/policy/tools"
end

function __cortex_policy_ids
    set -l tools (__cortex_policy_tools)
    for file in $tools/*.json
        string replace -rf '^(?s:.*)/([A-Za-z0-9][A-Za-z0-9._-]*)\.json$' '$1' -- $file
    end
end

function __cortex_policy_names # what has a stamp and a history: grants, and the rules of agents' hooks
    __cortex_policy_ids
    set -l tools (__cortex_policy_tools)
    test -f "$tools/../hooks.toml"; and echo hooks.toml
end

function __cortex_policy_actions
    set -l file (__cortex_policy_tools)/$argv[1].json
    test -f "$file" -a -r "$file"; or return
    set -l text (string join ' ' < $file)
    set -l list (string match -r '"actions"\s*:\s*\[([^]]*)\]' -- "$text")[2]
    string match -ra '(?<=")[A-Za-z0-9._:/@+-]+(?=")' -- "$list"
end

function __cortex_policy_versions -d 'versions of the stamp, of which the history knows the grants'
    set -l policy (string replace -r '/tools$' '' -- (__cortex_policy_tools))
    for file in $policy/history/*-v*.json
        string replace -rf '^(?s:.*)-v([0-9]+)\.json$' '$1' -- $file
    end
end

function __cortex_policy_revisions -d 'branches and tags; nothing that the repository configures is run'
    set -l root (string replace -r '/\.cortex/policy/tools$' '' -- (__cortex_policy_tools))
    test -n "$root"; or set root /
    set -lx GIT_OPTIONAL_LOCKS 0
    set -lx GIT_NO_LAZY_FETCH 1
    command git --no-pager -c core.fsmonitor=false -c safe.bareRepository=explicit -C "$root" for-each-ref --count=1000 \
        --format='%(refname:short)' refs/heads refs/tags refs/remotes 2>/dev/null | string match -r '^[A-Za-z0-9][A-Za-z0-9._/@+-]*$'
end

function __cortex_policy_values -d 'what a setting may be'
    switch "$argv[1]"
@settings@
    end
end

function __cortex_policy_requests -d 'calls that wait for a human, where the environment or nobody says where they are'
    set -l file $CORTEX_POLICY_APPROVALS_FILE $CORTEX_HITL_STORE
    set -l user (id -u)
    set -l state $CORTEX_POLICY_STATE_DIR /dev/shm/cortex-policy-$user
    set -a file $state[1]/approvals.jsonl
    test -f "$file[1]" -a -r "$file[1]"; or return
    sed -n 's/^{"id":"\([0-9a-f]\{8\}\)","type":"request".*/\1/p' $file[1]
end

function __cortex_policy_after_dashes -d 'whether the cursor is in the command of `run`'
    set -l words (commandline -opc)
    contains -- -- $words; and contains -- run $words
end

function __cortex_policy_command -d 'what completes that command'
    set -l words (commandline -opc)
    set -l dashes (contains -i -- -- $words)
    set -e words[1..$dashes]
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end

function __cortex_policy_in -d 'whether the plain words begin with these'
    __cortex_policy_after_dashes; and return 1
    test -z "$argv[1]"; and return
    set -l plain (__cortex_policy_plain)
    set -l count (count $argv)
    test "$plain[1..$count]" = "$argv"
end

function __cortex_policy_at -d 'whether there are this number of plain words behind these'
    test (count (__cortex_policy_plain)) -eq (math $argv[1] + (count $argv) - 1)
    and __cortex_policy_in $argv[2..]
end

complete -c cortex-policy -f
complete -c cortex-policy -n __cortex_policy_after_dashes -a '(__cortex_policy_command)'
@cases@
