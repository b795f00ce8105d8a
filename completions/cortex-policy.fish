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
        else if contains -- $word --add-scope --against --agent --allow --arg --args --at --batch --cert --cost --cursor --data-class --deadline --denied-exit --drop-arg --expect --fail-on --fail-under --filter --format --grant --ignore --init --install --key --mode --number --out --output --path --port --rate --reader --reason --remove-scope --request --revoke --root --scope --select --server --since --socket --tcp --timeout --to --token --tool --user --version --wait --with --workers -n
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
        case sensitive
            string split ' ' 'allow ask deny'
        case require_path
            string split ' ' 'true false'
        case undeclared_args
            string split ' ' 'allow deny'
        case stamp
            string split ' ' 'off require'
        case state_dir
            __fish_complete_path (commandline -ct)
        case audit.file
            __fish_complete_path (commandline -ct)
        case audit.args
            string split ' ' 'names fingerprints full'
        case audit.on_error
            string split ' ' 'ignore deny'
        case approvals.file
            __fish_complete_path (commandline -ct)
        case approvals.notify
            __fish_complete_path (commandline -ct)
        case approvals.elicitation
            string split ' ' 'true false'
        case budgets.key_file
            __fish_complete_path (commandline -ct)
        case budgets.password_file
            __fish_complete_path (commandline -ct)
        case budgets.on_error
            string split ' ' 'local deny'
        case validate.select
            string split ' ' 'syntax shape key tool action scope arg budget hooks file stamp settings syntax-json syntax-encoding syntax-bom syntax-comment syntax-comma syntax-quotes syntax-shell syntax-conflict syntax-key syntax-number syntax-string syntax-limit shape-missing shape-type shape-value shape-schema shape-other key-unknown key-idle key-schema key-other-schema tool-id action-none action-empty action-blank action-glob action-twice scope-dead scope-guarded scope-covered scope-case scope-absent scope-link scope-none scope-escalation scope-sensitive scope-no-path arg-keyword arg-pattern arg-pathlike arg-undeclared budget-shared hooks-syntax hooks-key hooks-value hooks-rule hooks-ignore hooks-tool hooks-subagents hooks-unreachable hooks-grant hooks-action file-missing file-unreadable file-unsafe file-name file-stray file-outside file-none file-ignore file-schema stamp-missing stamp-broken stamp-differs settings-invalid settings-unused'
        case validate.ignore
            string split ' ' 'syntax shape key tool action scope arg budget hooks file stamp settings syntax-json syntax-encoding syntax-bom syntax-comment syntax-comma syntax-quotes syntax-shell syntax-conflict syntax-key syntax-number syntax-string syntax-limit shape-missing shape-type shape-value shape-schema shape-other key-unknown key-idle key-schema key-other-schema tool-id action-none action-empty action-blank action-glob action-twice scope-dead scope-guarded scope-covered scope-case scope-absent scope-link scope-none scope-escalation scope-sensitive scope-no-path arg-keyword arg-pattern arg-pathlike arg-undeclared budget-shared hooks-syntax hooks-key hooks-value hooks-rule hooks-ignore hooks-tool hooks-subagents hooks-unreachable hooks-grant hooks-action file-missing file-unreadable file-unsafe file-name file-stray file-outside file-none file-ignore file-schema stamp-missing stamp-broken stamp-differs settings-invalid settings-unused'
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
complete -c cortex-policy -n '__cortex_policy_at 0' -a approvals -d 'List the calls that wait for a human'
complete -c cortex-policy -n '__cortex_policy_at 0' -a approve -d 'Allow one call that waits for a human, once'
complete -c cortex-policy -n '__cortex_policy_at 0' -a audit -d 'Verify the audit log, follow it, send it, or look calls up'
complete -c cortex-policy -n '__cortex_policy_at 0' -a check -d 'Decide a call, and count it if it is allowed'
complete -c cortex-policy -n '__cortex_policy_at 0' -a completions -d 'Print the completion script of a shell'
complete -c cortex-policy -n '__cortex_policy_at 0' -a config -d 'Show and change settings, and show where each came from'
complete -c cortex-policy -n '__cortex_policy_at 0' -a copy -d 'Copy a grant to a new id'
complete -c cortex-policy -n '__cortex_policy_at 0' -a deny -d 'Deny a call that waits for a human'
complete -c cortex-policy -n '__cortex_policy_at 0' -a diff -d 'Report whether a change allows more than before, or less'
complete -c cortex-policy -n '__cortex_policy_at 0' -a doctor -d 'Check each thing that can be wrong on this machine'
complete -c cortex-policy -n '__cortex_policy_at 0' -a edit -d 'Edit a grant in your editor, and save it if it loads'
complete -c cortex-policy -n '__cortex_policy_at 0' -a enforce -d 'The same command as check'
complete -c cortex-policy -n '__cortex_policy_at 0' -a explain -d 'Explain, rule by rule, how a call is decided; count nothing'
complete -c cortex-policy -n '__cortex_policy_at 0' -a export -d 'Write a WebAssembly module that decides in other programs'
complete -c cortex-policy -n '__cortex_policy_at 0' -a fmt -d 'Format grants in one canonical layout'
complete -c cortex-policy -n '__cortex_policy_at 0' -a help -d 'Print the help of a command'
complete -c cortex-policy -n '__cortex_policy_at 0' -a hook -d 'Check the tool calls of agents'
complete -c cortex-policy -n '__cortex_policy_at 0' -a init -d 'Create .cortex/policy/tools, with an example grant'
complete -c cortex-policy -n '__cortex_policy_at 0' -a list -d 'List the grants, and what is wrong with them'
complete -c cortex-policy -n '__cortex_policy_at 0' -a log -d 'List what operators did, newest first'
complete -c cortex-policy -n '__cortex_policy_at 0' -a mcp -d 'Check MCP tool calls, and answer a model\'s questions'
complete -c cortex-policy -n '__cortex_policy_at 0' -a new -d 'Create a grant'
complete -c cortex-policy -n '__cortex_policy_at 0' -a rate -d 'Show, watch, reset or purge budgets'
complete -c cortex-policy -n '__cortex_policy_at 0' -a remove -d 'Remove a grant, valid or not'
complete -c cortex-policy -n '__cortex_policy_at 0' -a rename -d 'Change the id of a grant'
complete -c cortex-policy -n '__cortex_policy_at 0' -a replay -d 'Decide past calls again, and list the changed answers'
complete -c cortex-policy -n '__cortex_policy_at 0' -a resume -d 'End the emergency stop of a root'
complete -c cortex-policy -n '__cortex_policy_at 0' -a rule -d 'Explain a rule of validate, or list all rules'
complete -c cortex-policy -n '__cortex_policy_at 0' -a run -d 'Decide a call, and run a command if it is allowed'
complete -c cortex-policy -n '__cortex_policy_at 0' -a schema -d 'Print the JSON Schema of a grant'
complete -c cortex-policy -n '__cortex_policy_at 0' -a serve -d 'Answer AuthZEN requests over HTTP'
complete -c cortex-policy -n '__cortex_policy_at 0' -a set -d 'Change a grant in one write'
complete -c cortex-policy -n '__cortex_policy_at 0' -a shell-init -d 'Print a shell function that makes checks faster'
complete -c cortex-policy -n '__cortex_policy_at 0' -a show -d 'Show a grant, its file, and what is left of its budgets'
complete -c cortex-policy -n '__cortex_policy_at 0' -a stamp -d 'Show, verify or write the version and checksum of the grants'
complete -c cortex-policy -n '__cortex_policy_at 0' -a status -d 'Show whether checks can be allowed, and what decides that'
complete -c cortex-policy -n '__cortex_policy_at 0' -a stop -d 'Deny every call, at once, until resume'
complete -c cortex-policy -n '__cortex_policy_at 0' -a suggest -d 'Show the smallest changes that would allow denied calls'
complete -c cortex-policy -n '__cortex_policy_at 0' -a test -d 'Run the test cases of grants and report their coverage'
complete -c cortex-policy -n '__cortex_policy_at 0' -a undo -d 'Undo a hand edit, or, if there is none, the last write'
complete -c cortex-policy -n '__cortex_policy_at 0' -a validate -d 'Report what is wrong with grants, and how to fix it'
complete -c cortex-policy -n '__cortex_policy_at 0' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_at 0' -s V -l version -d 'Print the version and exit'
complete -c cortex-policy -n '__cortex_policy_at 0' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 approvals' -a '(__cortex_policy_requests)'
complete -c cortex-policy -n '__cortex_policy_in approvals' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in approvals' -l all -d 'Include the calls of all roots'
complete -c cortex-policy -n '__cortex_policy_in approvals' -l watch -d 'Keep running and show what changes'
complete -c cortex-policy -n '__cortex_policy_in approvals' -l output -x -a 'table tsv' -d 'Print a table, or lines with tabs; default: a table only on a terminal'
complete -c cortex-policy -n '__cortex_policy_in approvals' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in approvals' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 approve' -a '(__cortex_policy_requests)'
complete -c cortex-policy -n '__cortex_policy_in approve' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in approve' -l yes -d 'Do not ask'
complete -c cortex-policy -n '__cortex_policy_in approve' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in approve' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in approve' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 audit' -a send -d 'Send the events of the audit log over HTTP, as CloudEvents'
complete -c cortex-policy -n '__cortex_policy_at 0 audit' -a show -d 'List the calls in the log, one per line, oldest first'
complete -c cortex-policy -n '__cortex_policy_at 0 audit' -a stats -d 'Count the calls in the log, over time and by grant'
complete -c cortex-policy -n '__cortex_policy_at 0 audit' -a tail -d 'Show the last calls in the log, and follow it'
complete -c cortex-policy -n '__cortex_policy_at 0 audit' -a verify -d 'Verify the chain of digests through the log'
complete -c cortex-policy -n '__cortex_policy_in audit' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 audit send' -a ''
complete -c cortex-policy -n '__cortex_policy_at 1 audit send' -F
complete -c cortex-policy -n '__cortex_policy_in audit send' -s f -l follow -d 'Keep sending new events until interrupted'
complete -c cortex-policy -n '__cortex_policy_in audit send' -l mode -x -a 'structured binary batch' -d 'A request carries one event; with batch, up to 100'
complete -c cortex-policy -n '__cortex_policy_in audit send' -l token -x -d 'The bearer token, in a file of mode 0600'
complete -c cortex-policy -n '__cortex_policy_in audit send' -l cursor -x -d 'The file that remembers what was sent; default: next to the log'
complete -c cortex-policy -n '__cortex_policy_in audit send' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in audit send' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in audit send' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 audit show' -F
complete -c cortex-policy -n '__cortex_policy_at 1 audit show' -F
complete -c cortex-policy -n '__cortex_policy_at 2 audit show' -F
complete -c cortex-policy -n '__cortex_policy_at 3 audit show' -F
complete -c cortex-policy -n '__cortex_policy_at 4 audit show' -F
complete -c cortex-policy -n '__cortex_policy_at 5 audit show' -F
complete -c cortex-policy -n '__cortex_policy_at 6 audit show' -F
complete -c cortex-policy -n '__cortex_policy_at 7 audit show' -F
complete -c cortex-policy -n '__cortex_policy_in audit show' -l root -x -a '(__fish_complete_directories)' -d 'Only calls of this root; default: all roots'
complete -c cortex-policy -n '__cortex_policy_in audit show' -l since -x -d 'Only calls since a time: 24h, 90m or 7d ago, or a date'
complete -c cortex-policy -n '__cortex_policy_in audit show' -l grant -x -a '(__cortex_policy_names)' -d 'Only calls of this grant'
complete -c cortex-policy -n '__cortex_policy_in audit show' -l reason -x -a 'allowed action_not_allowed argument_not_allowed path_outside_scope approval_required rate_limited stopped grant_not_found grant_invalid grant_unsafe stamp_mismatch state_unavailable root_not_found root_ambiguous settings_invalid' -d 'Only answers with this reason'
complete -c cortex-policy -n '__cortex_policy_in audit show' -l denied -d 'Only calls that were not allowed'
complete -c cortex-policy -n '__cortex_policy_in audit show' -s n -l number -x -d 'Show at most the last N'
complete -c cortex-policy -n '__cortex_policy_in audit show' -l json -d 'Print the logged events as JSON, one per line'
complete -c cortex-policy -n '__cortex_policy_in audit show' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 audit stats' -F
complete -c cortex-policy -n '__cortex_policy_at 1 audit stats' -F
complete -c cortex-policy -n '__cortex_policy_at 2 audit stats' -F
complete -c cortex-policy -n '__cortex_policy_at 3 audit stats' -F
complete -c cortex-policy -n '__cortex_policy_at 4 audit stats' -F
complete -c cortex-policy -n '__cortex_policy_at 5 audit stats' -F
complete -c cortex-policy -n '__cortex_policy_at 6 audit stats' -F
complete -c cortex-policy -n '__cortex_policy_at 7 audit stats' -F
complete -c cortex-policy -n '__cortex_policy_in audit stats' -l root -x -a '(__fish_complete_directories)' -d 'Only calls of this root; default: all roots'
complete -c cortex-policy -n '__cortex_policy_in audit stats' -l since -x -d 'Only calls since a time: 24h, 90m or 7d ago, or a date'
complete -c cortex-policy -n '__cortex_policy_in audit stats' -l grant -x -a '(__cortex_policy_names)' -d 'Only calls of this grant'
complete -c cortex-policy -n '__cortex_policy_in audit stats' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in audit stats' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 audit tail' -F
complete -c cortex-policy -n '__cortex_policy_in audit tail' -l root -x -a '(__fish_complete_directories)' -d 'Only calls of this root; default: all roots'
complete -c cortex-policy -n '__cortex_policy_in audit tail' -s n -l number -x -d 'Show at most the last N'
complete -c cortex-policy -n '__cortex_policy_in audit tail' -s f -l follow -d 'Keep printing new calls, also after rotations'
complete -c cortex-policy -n '__cortex_policy_in audit tail' -l json -d 'Print the logged events as JSON, one per line'
complete -c cortex-policy -n '__cortex_policy_in audit tail' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 audit verify' -F
complete -c cortex-policy -n '__cortex_policy_at 1 audit verify' -F
complete -c cortex-policy -n '__cortex_policy_at 2 audit verify' -F
complete -c cortex-policy -n '__cortex_policy_at 3 audit verify' -F
complete -c cortex-policy -n '__cortex_policy_at 4 audit verify' -F
complete -c cortex-policy -n '__cortex_policy_at 5 audit verify' -F
complete -c cortex-policy -n '__cortex_policy_at 6 audit verify' -F
complete -c cortex-policy -n '__cortex_policy_at 7 audit verify' -F
complete -c cortex-policy -n '__cortex_policy_in audit verify' -l expect -x -d 'Fail if no line has this digest'
complete -c cortex-policy -n '__cortex_policy_in audit verify' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in audit verify' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 check' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_at 1 check' -a '(__cortex_policy_actions (__cortex_policy_plain)[2])'
complete -c cortex-policy -n '__cortex_policy_in check' -l path -rF -d 'A path of the call, as typed; repeatable'
complete -c cortex-policy -n '__cortex_policy_in check' -l arg -x -d 'Another argument of the call; repeatable'
complete -c cortex-policy -n '__cortex_policy_in check' -l args -x -d 'Arguments as one JSON object; - reads it from stdin'
complete -c cortex-policy -n '__cortex_policy_in check' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in check' -l cost -x -d 'Count as N calls instead of one'
complete -c cortex-policy -n '__cortex_policy_in check' -l require-path -d 'Deny a call that names no path'
complete -c cortex-policy -n '__cortex_policy_in check' -l wait -x -d 'Wait up to SECONDS for budget, 0 to 3600'
complete -c cortex-policy -n '__cortex_policy_in check' -l peek -d 'Decide, but count nothing'
complete -c cortex-policy -n '__cortex_policy_in check' -l explain -d 'Also print the result of each rule, with its line'
complete -c cortex-policy -n '__cortex_policy_in check' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in check' -s q -l quiet -d 'Print nothing; the exit code is the answer'
complete -c cortex-policy -n '__cortex_policy_in check' -l batch -x -d 'Answer calls, one JSON object on each line'
complete -c cortex-policy -n '__cortex_policy_in check' -l request -x -d 'Answer an AuthZEN 1.0 request'
complete -c cortex-policy -n '__cortex_policy_at 0 completions' -a 'bash zsh fish'
complete -c cortex-policy -n '__cortex_policy_in completions' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 config' -a edit -d 'Edit a settings file, and save it if it is valid'
complete -c cortex-policy -n '__cortex_policy_at 0 config' -a get -d 'Print the effective value of a setting'
complete -c cortex-policy -n '__cortex_policy_at 0 config' -a list -d 'List the settings, their sources, and what they override'
complete -c cortex-policy -n '__cortex_policy_at 0 config' -a path -d 'Print the path of a settings file, even if it does not exist'
complete -c cortex-policy -n '__cortex_policy_at 0 config' -a set -d 'Set a setting in a file; its comments stay'
complete -c cortex-policy -n '__cortex_policy_at 0 config' -a unset -d 'Remove a setting from a file'
complete -c cortex-policy -n '__cortex_policy_in config' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in config edit' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in config edit' -l user -d 'Use your own settings; this is the default'
complete -c cortex-policy -n '__cortex_policy_in config edit' -l project -d 'Use the project\'s settings, which can only restrict'
complete -c cortex-policy -n '__cortex_policy_in config edit' -l system -d 'Use the system\'s settings (root only)'
complete -c cortex-policy -n '__cortex_policy_in config edit' -l resume -d 'Continue with the text that the last session did not save'
complete -c cortex-policy -n '__cortex_policy_in config edit' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in config edit' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 config get' -a 'sensitive require_path undeclared_args stamp state_dir editor history.keep audit.file audit.args audit.on_error audit.max_bytes audit.keep approvals.file approvals.timeout_seconds approvals.notify approvals.elicitation budgets.url budgets.name budgets.key_file budgets.password_file budgets.timeout_ms budgets.on_error budgets.local_share budgets.wait_replicas validate.select validate.ignore validate.suppress'
complete -c cortex-policy -n '__cortex_policy_in config get' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in config get' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in config get' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in config list' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in config list' -l output -x -a 'table tsv' -d 'Print a table, or lines with tabs; default: a table only on a terminal'
complete -c cortex-policy -n '__cortex_policy_in config list' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in config list' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in config path' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in config path' -l user -d 'Use your own settings; this is the default'
complete -c cortex-policy -n '__cortex_policy_in config path' -l project -d 'Use the project\'s settings, which can only restrict'
complete -c cortex-policy -n '__cortex_policy_in config path' -l system -d 'Use the system\'s settings (root only)'
complete -c cortex-policy -n '__cortex_policy_in config path' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in config path' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 config set' -a 'sensitive require_path undeclared_args stamp state_dir editor history.keep audit.file audit.args audit.on_error audit.max_bytes audit.keep approvals.file approvals.timeout_seconds approvals.notify approvals.elicitation budgets.url budgets.name budgets.key_file budgets.password_file budgets.timeout_ms budgets.on_error budgets.local_share budgets.wait_replicas validate.select validate.ignore validate.suppress'
complete -c cortex-policy -n '__cortex_policy_at 1 config set' -a '(__cortex_policy_values (__cortex_policy_plain)[3])'
complete -c cortex-policy -n '__cortex_policy_in config set' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in config set' -l user -d 'Use your own settings; this is the default'
complete -c cortex-policy -n '__cortex_policy_in config set' -l project -d 'Use the project\'s settings, which can only restrict'
complete -c cortex-policy -n '__cortex_policy_in config set' -l system -d 'Use the system\'s settings (root only)'
complete -c cortex-policy -n '__cortex_policy_in config set' -l allow-widening -d 'Save without asking, even if more may be allowed than before'
complete -c cortex-policy -n '__cortex_policy_in config set' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in config set' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in config set' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in config set' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 config unset' -a 'sensitive require_path undeclared_args stamp state_dir editor history.keep audit.file audit.args audit.on_error audit.max_bytes audit.keep approvals.file approvals.timeout_seconds approvals.notify approvals.elicitation budgets.url budgets.name budgets.key_file budgets.password_file budgets.timeout_ms budgets.on_error budgets.local_share budgets.wait_replicas validate.select validate.ignore validate.suppress'
complete -c cortex-policy -n '__cortex_policy_in config unset' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in config unset' -l user -d 'Use your own settings; this is the default'
complete -c cortex-policy -n '__cortex_policy_in config unset' -l project -d 'Use the project\'s settings, which can only restrict'
complete -c cortex-policy -n '__cortex_policy_in config unset' -l system -d 'Use the system\'s settings (root only)'
complete -c cortex-policy -n '__cortex_policy_in config unset' -l allow-widening -d 'Save without asking, even if more may be allowed than before'
complete -c cortex-policy -n '__cortex_policy_in config unset' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in config unset' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in config unset' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in config unset' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 copy' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_at 1 copy' -a ''
complete -c cortex-policy -n '__cortex_policy_in copy' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in copy' -l dry-run -d 'Print what would be written; write nothing'
complete -c cortex-policy -n '__cortex_policy_in copy' -l allow-widening -d 'Save without asking, even if more may be allowed than before'
complete -c cortex-policy -n '__cortex_policy_in copy' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in copy' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in copy' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in copy' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 deny' -a '(__cortex_policy_requests)'
complete -c cortex-policy -n '__cortex_policy_in deny' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in deny' -l reason -x -d 'Tell the caller why'
complete -c cortex-policy -n '__cortex_policy_in deny' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in deny' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in deny' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 diff' -a '(__cortex_policy_names)'
complete -c cortex-policy -n '__cortex_policy_at 1 diff' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_in diff' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in diff' -l against -x -a '(echo stamp; __cortex_policy_revisions)' -d 'Compare with a git revision or with stamp: all grants, or only OLD'
complete -c cortex-policy -n '__cortex_policy_in diff' -l fail-on -x -a 'widened' -d 'Exit 1 if more may be allowed than before'
complete -c cortex-policy -n '__cortex_policy_in diff' -l markdown -d 'Print Markdown, for a pull request'
complete -c cortex-policy -n '__cortex_policy_in diff' -l output -x -a 'table tsv' -d 'Print a table, or lines with tabs; default: a table only on a terminal'
complete -c cortex-policy -n '__cortex_policy_in diff' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in diff' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in doctor' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in doctor' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in doctor' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 edit' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_in edit' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in edit' -l resume -d 'Continue with the text that the last session did not save'
complete -c cortex-policy -n '__cortex_policy_in edit' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in edit' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 enforce' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_at 1 enforce' -a '(__cortex_policy_actions (__cortex_policy_plain)[2])'
complete -c cortex-policy -n '__cortex_policy_in enforce' -l path -rF -d 'A path of the call, as typed; repeatable'
complete -c cortex-policy -n '__cortex_policy_in enforce' -l arg -x -d 'Another argument of the call; repeatable'
complete -c cortex-policy -n '__cortex_policy_in enforce' -l args -x -d 'Arguments as one JSON object; - reads it from stdin'
complete -c cortex-policy -n '__cortex_policy_in enforce' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in enforce' -l cost -x -d 'Count as N calls instead of one'
complete -c cortex-policy -n '__cortex_policy_in enforce' -l require-path -d 'Deny a call that names no path'
complete -c cortex-policy -n '__cortex_policy_in enforce' -l wait -x -d 'Wait up to SECONDS for budget, 0 to 3600'
complete -c cortex-policy -n '__cortex_policy_in enforce' -l peek -d 'Decide, but count nothing'
complete -c cortex-policy -n '__cortex_policy_in enforce' -l explain -d 'Also print the result of each rule, with its line'
complete -c cortex-policy -n '__cortex_policy_in enforce' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in enforce' -s q -l quiet -d 'Print nothing; the exit code is the answer'
complete -c cortex-policy -n '__cortex_policy_in enforce' -l batch -x -d 'Answer calls, one JSON object on each line'
complete -c cortex-policy -n '__cortex_policy_in enforce' -l request -x -d 'Answer an AuthZEN 1.0 request'
complete -c cortex-policy -n '__cortex_policy_at 0 explain' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_at 1 explain' -a '(__cortex_policy_actions (__cortex_policy_plain)[2])'
complete -c cortex-policy -n '__cortex_policy_in explain' -l path -rF -d 'A path of the call, as typed; repeatable'
complete -c cortex-policy -n '__cortex_policy_in explain' -l arg -x -d 'Another argument of the call; repeatable'
complete -c cortex-policy -n '__cortex_policy_in explain' -l args -x -d 'Arguments as one JSON object; - reads it from stdin'
complete -c cortex-policy -n '__cortex_policy_in explain' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in explain' -l cost -x -d 'Count as N calls instead of one'
complete -c cortex-policy -n '__cortex_policy_in explain' -l require-path -d 'Deny a call that names no path'
complete -c cortex-policy -n '__cortex_policy_in explain' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in export' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in export' -l format -x -a 'wasm loader' -d 'wasm; or loader, which JavaScript imports'
complete -c cortex-policy -n '__cortex_policy_in export' -l out -x -d 'Write this file, not standard output'
complete -c cortex-policy -n '__cortex_policy_in export' -l empty -d 'Write no grants into the module; the host loads them'
complete -c cortex-policy -n '__cortex_policy_in export' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in export' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 fmt' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_at 1 fmt' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_at 2 fmt' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_at 3 fmt' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_at 4 fmt' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_at 5 fmt' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_at 6 fmt' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_at 7 fmt' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_in fmt' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in fmt' -l check -d 'Write nothing; exit 1 if a layout differs'
complete -c cortex-policy -n '__cortex_policy_in fmt' -l diff -d 'Like --check, and print the diff'
complete -c cortex-policy -n '__cortex_policy_in fmt' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in fmt' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in fmt' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in fmt' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 help' -a 'check enforce run explain status list show log rate audit approvals new edit set copy rename remove fmt undo suggest approve deny validate rule test replay diff stamp stop resume init hook mcp serve doctor config schema export completions shell-init help'
complete -c cortex-policy -n '__cortex_policy_in help' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 hook' -a doctor -d 'Test whether each installed hook blocks what it must block'
complete -c cortex-policy -n '__cortex_policy_at 0 hook' -a edit -d 'Edit the hook rules, and save them if they are valid'
complete -c cortex-policy -n '__cortex_policy_at 0 hook' -a init -d 'Write the first hook rules, and the grants that they name'
complete -c cortex-policy -n '__cortex_policy_at 0 hook' -a install -d 'Install a hook that checks each tool call of an agent'
complete -c cortex-policy -n '__cortex_policy_at 0 hook' -a serve -d 'Answer an agent\'s hooks over a socket, in milliseconds'
complete -c cortex-policy -n '__cortex_policy_at 0 hook' -a status -d 'Show which agents have a hook, and whether they run it'
complete -c cortex-policy -n '__cortex_policy_at 0 hook' -a uninstall -d 'Remove the hook from the settings of an agent'
complete -c cortex-policy -n '__cortex_policy_in hook' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 hook doctor' -a 'claude codex gemini cursor copilot vscode'
complete -c cortex-policy -n '__cortex_policy_in hook doctor' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in hook doctor' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in hook doctor' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in hook edit' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in hook edit' -l resume -d 'Continue with the text that the last session did not save'
complete -c cortex-policy -n '__cortex_policy_in hook edit' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in hook edit' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in hook init' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in hook init' -l agent -x -a 'claude codex gemini cursor copilot vscode' -d 'Write rules for this agent; repeatable. Default: all agents that were found'
complete -c cortex-policy -n '__cortex_policy_in hook init' -l dry-run -d 'Print what would be written; write nothing'
complete -c cortex-policy -n '__cortex_policy_in hook init' -l yes -d 'Do not ask'
complete -c cortex-policy -n '__cortex_policy_in hook init' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in hook init' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in hook init' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in hook init' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 hook install' -a 'claude codex gemini cursor copilot vscode'
complete -c cortex-policy -n '__cortex_policy_in hook install' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in hook install' -l user -d 'Change your own settings of the agent; this is the default'
complete -c cortex-policy -n '__cortex_policy_in hook install' -l project -d 'Change the agent\'s settings in the root'
complete -c cortex-policy -n '__cortex_policy_in hook install' -l managed -d 'Change the agent\'s settings for all users of this host'
complete -c cortex-policy -n '__cortex_policy_in hook install' -l dry-run -d 'Print what would be written; write nothing'
complete -c cortex-policy -n '__cortex_policy_in hook install' -l yes -d 'Do not ask'
complete -c cortex-policy -n '__cortex_policy_in hook install' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in hook install' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in hook install' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 hook serve' -a 'claude codex gemini cursor copilot vscode'
complete -c cortex-policy -n '__cortex_policy_in hook serve' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in hook serve' -l socket -x -d 'Listen on this socket; only you may use its directory'
complete -c cortex-policy -n '__cortex_policy_in hook serve' -l port -x -d 'Listen on this port of 127.0.0.1, not on a socket; 0 takes a free port. It needs --token'
complete -c cortex-policy -n '__cortex_policy_in hook serve' -l key -x -d 'The file of the key that clients sign with; default: PATH.key'
complete -c cortex-policy -n '__cortex_policy_in hook serve' -l token -x -d 'The file of the bearer token that clients of the port send'
complete -c cortex-policy -n '__cortex_policy_in hook serve' -l install -x -d 'The tag of this hook; no other hook of the agent has it'
complete -c cortex-policy -n '__cortex_policy_in hook serve' -l deadline -x -d 'Deny a call that is not decided within SECONDS'
complete -c cortex-policy -n '__cortex_policy_in hook serve' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in hook serve' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in hook status' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in hook status' -l output -x -a 'table tsv' -d 'Print a table, or lines with tabs; default: a table only on a terminal'
complete -c cortex-policy -n '__cortex_policy_in hook status' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in hook status' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 hook uninstall' -a 'claude codex gemini cursor copilot vscode'
complete -c cortex-policy -n '__cortex_policy_in hook uninstall' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in hook uninstall' -l user -d 'Change your own settings of the agent; this is the default'
complete -c cortex-policy -n '__cortex_policy_in hook uninstall' -l project -d 'Change the agent\'s settings in the root'
complete -c cortex-policy -n '__cortex_policy_in hook uninstall' -l managed -d 'Change the agent\'s settings for all users of this host'
complete -c cortex-policy -n '__cortex_policy_in hook uninstall' -l dry-run -d 'Print what would be written; write nothing'
complete -c cortex-policy -n '__cortex_policy_in hook uninstall' -l yes -d 'Do not ask'
complete -c cortex-policy -n '__cortex_policy_in hook uninstall' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in hook uninstall' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in hook uninstall' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in init' -l root -x -a '(__fish_complete_directories)' -d 'Where to create it; default: the working directory'
complete -c cortex-policy -n '__cortex_policy_in init' -l pre-commit -d 'Create .pre-commit-config.yaml too, or print what to add to it'
complete -c cortex-policy -n '__cortex_policy_in init' -l git -d 'Let git merge the stamp: write .gitattributes, and settings of this clone'
complete -c cortex-policy -n '__cortex_policy_in init' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in init' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in init' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in init' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in list' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in list' -l output -x -a 'table tsv' -d 'Print a table, or lines with tabs; default: a table only on a terminal'
complete -c cortex-policy -n '__cortex_policy_in list' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in list' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 log' -a '(__cortex_policy_names)'
complete -c cortex-policy -n '__cortex_policy_in log' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in log' -s n -l number -x -d 'Show at most the last N'
complete -c cortex-policy -n '__cortex_policy_in log' -l output -x -a 'table tsv' -d 'Print a table, or lines with tabs; default: a table only on a terminal'
complete -c cortex-policy -n '__cortex_policy_in log' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in log' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 mcp' -a proxy -d 'Check each tool call of an MCP server against the grants'
complete -c cortex-policy -n '__cortex_policy_at 0 mcp' -a serve -d 'Answer a model\'s questions about the grants, as an MCP server'
complete -c cortex-policy -n '__cortex_policy_in mcp' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 mcp proxy' -a ''
complete -c cortex-policy -n '__cortex_policy_at 1 mcp proxy' -a ''
complete -c cortex-policy -n '__cortex_policy_at 2 mcp proxy' -a ''
complete -c cortex-policy -n '__cortex_policy_at 3 mcp proxy' -a ''
complete -c cortex-policy -n '__cortex_policy_at 4 mcp proxy' -a ''
complete -c cortex-policy -n '__cortex_policy_at 5 mcp proxy' -a ''
complete -c cortex-policy -n '__cortex_policy_at 6 mcp proxy' -a ''
complete -c cortex-policy -n '__cortex_policy_at 7 mcp proxy' -a ''
complete -c cortex-policy -n '__cortex_policy_in mcp proxy' -l server -x -d 'The server\'s name in hooks.toml: the part before the /'
complete -c cortex-policy -n '__cortex_policy_in mcp proxy' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in mcp proxy' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in mcp serve' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in mcp serve' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 new' -a ''
complete -c cortex-policy -n '__cortex_policy_in new' -l tool -x -d 'Name of the tool that the budget belongs to; default: ID'
complete -c cortex-policy -n '__cortex_policy_in new' -l allow -x -d 'Allow an action; repeatable'
complete -c cortex-policy -n '__cortex_policy_in new' -l rate -x -d 'Calls per minute allowed for each action'
complete -c cortex-policy -n '__cortex_policy_in new' -l scope -x -d 'Allow only paths below P; repeatable. Default: all paths'
complete -c cortex-policy -n '__cortex_policy_in new' -l data-class -x -a 'public internal sensitive' -d 'public, internal or sensitive; default: internal'
complete -c cortex-policy -n '__cortex_policy_in new' -l arg -x -d 'Declare an argument; repeatable'
complete -c cortex-policy -n '__cortex_policy_in new' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in new' -l dry-run -d 'Print what would be written; write nothing'
complete -c cortex-policy -n '__cortex_policy_in new' -l allow-widening -d 'Save without asking, even if more may be allowed than before'
complete -c cortex-policy -n '__cortex_policy_in new' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in new' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in new' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in new' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 rate' -a purge -d 'Delete all rate state of this root: all its budgets are full again'
complete -c cortex-policy -n '__cortex_policy_at 0 rate' -a reset -d 'Reset the budgets of a grant: its counted calls are forgotten'
complete -c cortex-policy -n '__cortex_policy_at 0 rate' -a show -d 'Show what is left of each budget'
complete -c cortex-policy -n '__cortex_policy_at 0 rate' -a watch -d 'Watch what is left of each budget'
complete -c cortex-policy -n '__cortex_policy_in rate' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in rate purge' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in rate purge' -l user -x -d 'Use the budgets of this user (root only)'
complete -c cortex-policy -n '__cortex_policy_in rate purge' -l yes -d 'Do not ask'
complete -c cortex-policy -n '__cortex_policy_in rate purge' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in rate purge' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in rate purge' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 rate reset' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_at 1 rate reset' -a '(__cortex_policy_actions (__cortex_policy_plain)[3])'
complete -c cortex-policy -n '__cortex_policy_in rate reset' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in rate reset' -l user -x -d 'Use the budgets of this user (root only)'
complete -c cortex-policy -n '__cortex_policy_in rate reset' -l yes -d 'Do not ask'
complete -c cortex-policy -n '__cortex_policy_in rate reset' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in rate reset' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in rate reset' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 rate show' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_in rate show' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in rate show' -l user -x -d 'Use the budgets of this user (root only)'
complete -c cortex-policy -n '__cortex_policy_in rate show' -l output -x -a 'table tsv' -d 'Print a table, or lines with tabs; default: a table only on a terminal'
complete -c cortex-policy -n '__cortex_policy_in rate show' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in rate show' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 rate watch' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_in rate watch' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in rate watch' -l user -x -d 'Use the budgets of this user (root only)'
complete -c cortex-policy -n '__cortex_policy_in rate watch' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in rate watch' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 remove' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_in remove' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in remove' -l dry-run -d 'Print what would be written; write nothing'
complete -c cortex-policy -n '__cortex_policy_in remove' -l yes -d 'Do not ask'
complete -c cortex-policy -n '__cortex_policy_in remove' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in remove' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in remove' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in remove' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 rename' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_at 1 rename' -a ''
complete -c cortex-policy -n '__cortex_policy_in rename' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in rename' -l dry-run -d 'Print what would be written; write nothing'
complete -c cortex-policy -n '__cortex_policy_in rename' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in rename' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in rename' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in rename' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 replay' -F
complete -c cortex-policy -n '__cortex_policy_at 1 replay' -F
complete -c cortex-policy -n '__cortex_policy_at 2 replay' -F
complete -c cortex-policy -n '__cortex_policy_at 3 replay' -F
complete -c cortex-policy -n '__cortex_policy_at 4 replay' -F
complete -c cortex-policy -n '__cortex_policy_at 5 replay' -F
complete -c cortex-policy -n '__cortex_policy_at 6 replay' -F
complete -c cortex-policy -n '__cortex_policy_at 7 replay' -F
complete -c cortex-policy -n '__cortex_policy_in replay' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in replay' -l with -x -a '(__cortex_policy_revisions; __fish_complete_directories)' -d 'Use the grants of a git revision or a directory'
complete -c cortex-policy -n '__cortex_policy_in replay' -l since -x -d 'Only calls since a time: 24h, 90m or 7d ago, or a date'
complete -c cortex-policy -n '__cortex_policy_in replay' -l fail-on -x -a 'allow deny any' -d 'Exit 1 if a call becomes allowed (allow), denied (deny), or one of both (any)'
complete -c cortex-policy -n '__cortex_policy_in replay' -l output -x -a 'table tsv' -d 'Print a table, or lines with tabs; default: a table only on a terminal'
complete -c cortex-policy -n '__cortex_policy_in replay' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in replay' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in resume' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in resume' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in resume' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in resume' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 rule' -a 'syntax shape key tool action scope arg budget hooks file stamp settings syntax-json syntax-encoding syntax-bom syntax-comment syntax-comma syntax-quotes syntax-shell syntax-conflict syntax-key syntax-number syntax-string syntax-limit shape-missing shape-type shape-value shape-schema shape-other key-unknown key-idle key-schema key-other-schema tool-id action-none action-empty action-blank action-glob action-twice scope-dead scope-guarded scope-covered scope-case scope-absent scope-link scope-none scope-escalation scope-sensitive scope-no-path arg-keyword arg-pattern arg-pathlike arg-undeclared budget-shared hooks-syntax hooks-key hooks-value hooks-rule hooks-ignore hooks-tool hooks-subagents hooks-unreachable hooks-grant hooks-action file-missing file-unreadable file-unsafe file-name file-stray file-outside file-none file-ignore file-schema stamp-missing stamp-broken stamp-differs settings-invalid settings-unused'
complete -c cortex-policy -n '__cortex_policy_in rule' -l output -x -a 'table tsv' -d 'Print a table, or lines with tabs; default: a table only on a terminal'
complete -c cortex-policy -n '__cortex_policy_in rule' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in rule' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 run' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_at 1 run' -a '(__cortex_policy_actions (__cortex_policy_plain)[2])'
complete -c cortex-policy -n '__cortex_policy_at 2 run' -a ''
complete -c cortex-policy -n '__cortex_policy_at 3 run' -a ''
complete -c cortex-policy -n '__cortex_policy_at 4 run' -a ''
complete -c cortex-policy -n '__cortex_policy_at 5 run' -a ''
complete -c cortex-policy -n '__cortex_policy_at 6 run' -a ''
complete -c cortex-policy -n '__cortex_policy_at 7 run' -a ''
complete -c cortex-policy -n '__cortex_policy_at 8 run' -a ''
complete -c cortex-policy -n '__cortex_policy_at 9 run' -a ''
complete -c cortex-policy -n '__cortex_policy_in run' -l path -rF -d 'A path of the call, as typed; repeatable'
complete -c cortex-policy -n '__cortex_policy_in run' -l arg -x -d 'Another argument of the call; repeatable'
complete -c cortex-policy -n '__cortex_policy_in run' -l args -x -d 'Arguments as one JSON object; - reads it from stdin'
complete -c cortex-policy -n '__cortex_policy_in run' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in run' -l cost -x -d 'Count as N calls instead of one'
complete -c cortex-policy -n '__cortex_policy_in run' -l require-path -d 'Deny a call that names no path'
complete -c cortex-policy -n '__cortex_policy_in run' -l wait -x -d 'Wait up to SECONDS for budget, 0 to 3600'
complete -c cortex-policy -n '__cortex_policy_in run' -l for-each -d 'Decide each path on stdin by itself; one path per line'
complete -c cortex-policy -n '__cortex_policy_in run' -s 0 -d 'With --for-each: paths end with NUL, not with a newline'
complete -c cortex-policy -n '__cortex_policy_in run' -l denied-exit -x -d 'Exit code of a denial, 1 to 255, instead of 10-29'
complete -c cortex-policy -n '__cortex_policy_in run' -s q -l quiet -d 'Print nothing; the exit code is the answer'
complete -c cortex-policy -n '__cortex_policy_in schema' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in schema' -l install -d 'Write .cortex/policy/grant.schema.json, for editors'
complete -c cortex-policy -n '__cortex_policy_in schema' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in schema' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in schema' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in serve' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in serve' -l socket -x -d 'Listen on this socket; only you may use its directory'
complete -c cortex-policy -n '__cortex_policy_in serve' -l tcp -x -d 'Listen on this address, not on a socket. It needs --token; if it is not loopback, it also needs TLS'
complete -c cortex-policy -n '__cortex_policy_in serve' -l token -x -d 'The file of the bearer token that clients send; created if it is missing'
complete -c cortex-policy -n '__cortex_policy_in serve' -l cert -x -d 'The file of the certificate for TLS'
complete -c cortex-policy -n '__cortex_policy_in serve' -l key -x -d 'The file of the private key of this certificate'
complete -c cortex-policy -n '__cortex_policy_in serve' -l workers -x -d 'How many processes answer'
complete -c cortex-policy -n '__cortex_policy_in serve' -l link -d 'Print a link to the page of the server that runs with the same options, and exit'
complete -c cortex-policy -n '__cortex_policy_in serve' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in serve' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 set' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_in set' -l rate -x -d 'Calls per minute allowed for each action'
complete -c cortex-policy -n '__cortex_policy_in set' -l data-class -x -a 'public internal sensitive' -d 'public, internal or sensitive'
complete -c cortex-policy -n '__cortex_policy_in set' -l allow -x -d 'Allow an action; repeatable'
complete -c cortex-policy -n '__cortex_policy_in set' -l revoke -x -d 'Remove an allowed action; repeatable'
complete -c cortex-policy -n '__cortex_policy_in set' -l add-scope -x -d 'Allow paths below P; repeatable'
complete -c cortex-policy -n '__cortex_policy_in set' -l remove-scope -x -d 'Remove a scope; repeatable'
complete -c cortex-policy -n '__cortex_policy_in set' -l arg -x -d 'Declare an argument, or declare it again; repeatable'
complete -c cortex-policy -n '__cortex_policy_in set' -l drop-arg -x -d 'Remove the declaration of an argument; repeatable'
complete -c cortex-policy -n '__cortex_policy_in set' -l tool -x -d 'Name of the tool that the budget belongs to'
complete -c cortex-policy -n '__cortex_policy_in set' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in set' -l dry-run -d 'Print what would be written; write nothing'
complete -c cortex-policy -n '__cortex_policy_in set' -l allow-widening -d 'Save without asking, even if more may be allowed than before'
complete -c cortex-policy -n '__cortex_policy_in set' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in set' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in set' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in set' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 shell-init' -a 'bash zsh fish'
complete -c cortex-policy -n '__cortex_policy_in shell-init' -l write -d 'Write the function to a file; print the line that sources this file'
complete -c cortex-policy -n '__cortex_policy_in shell-init' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 show' -a '(__cortex_policy_names)'
complete -c cortex-policy -n '__cortex_policy_in show' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in show' -l at -x -a '(__cortex_policy_versions)' -d 'Print the text of the grant at this version'
complete -c cortex-policy -n '__cortex_policy_in show' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in show' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 stamp' -a merge -d 'Put the stamp right after a merge, a rebase or a cherry-pick'
complete -c cortex-policy -n '__cortex_policy_at 0 stamp' -a merge-files -d 'Merge two versions of a stamp into OURS, as git asks for it'
complete -c cortex-policy -n '__cortex_policy_at 0 stamp' -a show -d 'Show the stamp\'s version and checksum'
complete -c cortex-policy -n '__cortex_policy_at 0 stamp' -a verify -d 'Compare the grants with their stamp; exit 1 if they differ'
complete -c cortex-policy -n '__cortex_policy_at 0 stamp' -a wait -d 'Wait until the stamp, or a reader, is at a version or later'
complete -c cortex-policy -n '__cortex_policy_at 0 stamp' -a write -d 'Accept the grants as they are now, as the next version'
complete -c cortex-policy -n '__cortex_policy_in stamp' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in stamp merge' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in stamp merge' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in stamp merge' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in stamp merge' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in stamp merge' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 stamp merge-files' -F
complete -c cortex-policy -n '__cortex_policy_at 1 stamp merge-files' -F
complete -c cortex-policy -n '__cortex_policy_at 2 stamp merge-files' -F
complete -c cortex-policy -n '__cortex_policy_in stamp merge-files' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in stamp show' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in stamp show' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in stamp show' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in stamp verify' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in stamp verify' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in stamp verify' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in stamp wait' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in stamp wait' -l version -x -d 'The version to wait for'
complete -c cortex-policy -n '__cortex_policy_in stamp wait' -l reader -x -d 'Wait until every process of this reader uses the version'
complete -c cortex-policy -n '__cortex_policy_in stamp wait' -l timeout -x -d 'Give up after SECONDS, with exit code 3'
complete -c cortex-policy -n '__cortex_policy_in stamp wait' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in stamp wait' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in stamp write' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in stamp write' -l allow-widening -d 'Save without asking, even if more may be allowed than before'
complete -c cortex-policy -n '__cortex_policy_in stamp write' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in stamp write' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in stamp write' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in stamp write' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in status' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in status' -l watch -d 'Keep showing budgets, the last calls and what waits for a human'
complete -c cortex-policy -n '__cortex_policy_in status' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in status' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_in stop' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in stop' -l reason -x -d 'The reason, shown with each denial'
complete -c cortex-policy -n '__cortex_policy_in stop' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in stop' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in stop' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 suggest' -F
complete -c cortex-policy -n '__cortex_policy_at 1 suggest' -F
complete -c cortex-policy -n '__cortex_policy_at 2 suggest' -F
complete -c cortex-policy -n '__cortex_policy_at 3 suggest' -F
complete -c cortex-policy -n '__cortex_policy_at 4 suggest' -F
complete -c cortex-policy -n '__cortex_policy_at 5 suggest' -F
complete -c cortex-policy -n '__cortex_policy_at 6 suggest' -F
complete -c cortex-policy -n '__cortex_policy_at 7 suggest' -F
complete -c cortex-policy -n '__cortex_policy_in suggest' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in suggest' -l since -x -d 'Only calls since a time: 24h, 90m or 7d ago, or a date'
complete -c cortex-policy -n '__cortex_policy_in suggest' -l grant -x -a '(__cortex_policy_ids)' -d 'Only calls of this grant'
complete -c cortex-policy -n '__cortex_policy_in suggest' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in suggest' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 test' -F
complete -c cortex-policy -n '__cortex_policy_at 1 test' -F
complete -c cortex-policy -n '__cortex_policy_at 2 test' -F
complete -c cortex-policy -n '__cortex_policy_at 3 test' -F
complete -c cortex-policy -n '__cortex_policy_at 4 test' -F
complete -c cortex-policy -n '__cortex_policy_at 5 test' -F
complete -c cortex-policy -n '__cortex_policy_at 6 test' -F
complete -c cortex-policy -n '__cortex_policy_at 7 test' -F
complete -c cortex-policy -n '__cortex_policy_in test' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in test' -l init -x -a '(__cortex_policy_ids)' -d 'Write a first case file that covers a grant'
complete -c cortex-policy -n '__cortex_policy_in test' -l update -d 'With --init: write the generated cases again, and keep your own'
complete -c cortex-policy -n '__cortex_policy_in test' -l filter -x -d 'Run only cases whose name or file contains TEXT'
complete -c cortex-policy -n '__cortex_policy_in test' -l fail-under -x -d 'Fail if coverage is below PERCENT'
complete -c cortex-policy -n '__cortex_policy_in test' -l output -x -a 'text json junit' -d 'Print as text, json or junit; repeatable'
complete -c cortex-policy -n '__cortex_policy_in test' -l watch -d 'Run again when a grant or a case file changes'
complete -c cortex-policy -n '__cortex_policy_in test' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in test' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 undo' -a '(__cortex_policy_names)'
complete -c cortex-policy -n '__cortex_policy_in undo' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in undo' -l to -x -a '(__cortex_policy_versions)' -d 'Bring all grants back to a version'
complete -c cortex-policy -n '__cortex_policy_in undo' -l dry-run -d 'Print what would be written; write nothing'
complete -c cortex-policy -n '__cortex_policy_in undo' -l allow-widening -d 'Save without asking, even if more may be allowed than before'
complete -c cortex-policy -n '__cortex_policy_in undo' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in undo' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in undo' -s q -l quiet -d 'Print only errors and hints'
complete -c cortex-policy -n '__cortex_policy_in undo' -s h -l help -d 'Show this message and exit'
complete -c cortex-policy -n '__cortex_policy_at 0 validate' -F
complete -c cortex-policy -n '__cortex_policy_at 1 validate' -F
complete -c cortex-policy -n '__cortex_policy_at 2 validate' -F
complete -c cortex-policy -n '__cortex_policy_at 3 validate' -F
complete -c cortex-policy -n '__cortex_policy_at 4 validate' -F
complete -c cortex-policy -n '__cortex_policy_at 5 validate' -F
complete -c cortex-policy -n '__cortex_policy_at 6 validate' -F
complete -c cortex-policy -n '__cortex_policy_at 7 validate' -F
complete -c cortex-policy -n '__cortex_policy_in validate' -l root -x -a '(__fish_complete_directories)' -d 'The directory that holds .cortex/policy'
complete -c cortex-policy -n '__cortex_policy_in validate' -l strict -d 'Treat warnings as errors'
complete -c cortex-policy -n '__cortex_policy_in validate' -l fix -d 'Make the fixes that are certain and allow nothing more'
complete -c cortex-policy -n '__cortex_policy_in validate' -l select -x -a 'syntax shape key tool action scope arg budget hooks file stamp settings syntax-json syntax-encoding syntax-bom syntax-comment syntax-comma syntax-quotes syntax-shell syntax-conflict syntax-key syntax-number syntax-string syntax-limit shape-missing shape-type shape-value shape-schema shape-other key-unknown key-idle key-schema key-other-schema tool-id action-none action-empty action-blank action-glob action-twice scope-dead scope-guarded scope-covered scope-case scope-absent scope-link scope-none scope-escalation scope-sensitive scope-no-path arg-keyword arg-pattern arg-pathlike arg-undeclared budget-shared hooks-syntax hooks-key hooks-value hooks-rule hooks-ignore hooks-tool hooks-subagents hooks-unreachable hooks-grant hooks-action file-missing file-unreadable file-unsafe file-name file-stray file-outside file-none file-ignore file-schema stamp-missing stamp-broken stamp-differs settings-invalid settings-unused' -d 'Report only these rules or groups, comma-separated; repeatable'
complete -c cortex-policy -n '__cortex_policy_in validate' -l ignore -x -a 'syntax shape key tool action scope arg budget hooks file stamp settings syntax-json syntax-encoding syntax-bom syntax-comment syntax-comma syntax-quotes syntax-shell syntax-conflict syntax-key syntax-number syntax-string syntax-limit shape-missing shape-type shape-value shape-schema shape-other key-unknown key-idle key-schema key-other-schema tool-id action-none action-empty action-blank action-glob action-twice scope-dead scope-guarded scope-covered scope-case scope-absent scope-link scope-none scope-escalation scope-sensitive scope-no-path arg-keyword arg-pattern arg-pathlike arg-undeclared budget-shared hooks-syntax hooks-key hooks-value hooks-rule hooks-ignore hooks-tool hooks-subagents hooks-unreachable hooks-grant hooks-action file-missing file-unreadable file-unsafe file-name file-stray file-outside file-none file-ignore file-schema stamp-missing stamp-broken stamp-differs settings-invalid settings-unused' -d 'Report all but these rules or groups, comma-separated; repeatable'
complete -c cortex-policy -n '__cortex_policy_in validate' -l output -x -a 'text json github gitlab sarif junit' -d 'Report as text, json, github, gitlab, sarif or junit, optionally into FILE; repeatable'
complete -c cortex-policy -n '__cortex_policy_in validate' -l wait -x -d 'If another command is writing, wait up to SECONDS for it'
complete -c cortex-policy -n '__cortex_policy_in validate' -l json -d 'Output JSON on a single line'
complete -c cortex-policy -n '__cortex_policy_in validate' -s h -l help -d 'Show this message and exit'
