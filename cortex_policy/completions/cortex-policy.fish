# fish completion for cortex-policy; made by scripts/generate.py
# Grant ids and actions are read here: starting Python on every TAB would take 150 ms.

function __cortex_policy_plain -d 'the plain words before the cursor, the command first'
    set -l words (commandline -opc)
    set -e words[1]
    set -l skip 0
    for word in $words
        if test $skip = 1
            set skip 0
        else if contains -- $word --arg --args --cost --path --root --wait
            set skip 1
        else if not string match -q -- '-*' $word
            printf '%s\n' $word
        end
    end
end

function __cortex_policy_tools -d 'the directory of grants'
    set -l words (commandline -opc)
    set -l dir $CORTEX_POLICY_ROOT
    if set -l at (contains -i -- --root $words)
        set dir $words[(math $at + 1)]
    end
    if test -z "$dir"
        set dir $PWD
        while test -n "$dir"; and not test -d $dir/.cortex/policy
            set dir (string replace -r '/[^/]*$' '' -- $dir)
        end
    end
    printf '%s' "$dir/.cortex/policy/tools"
end

function __cortex_policy_ids
    set -l tools (__cortex_policy_tools)
    for file in $tools/*.json
        string match -r '[A-Za-z0-9][A-Za-z0-9._-]*(?=\.json$)' -- (string replace -r '.*/' '' -- $file)
    end
end

function __cortex_policy_actions
    set -l file (__cortex_policy_tools)/$argv[1].json
    test -r $file; or return
    set -l text (string join ' ' < $file)
    set -l list (string match -r '"actions"\s*:\s*\[([^]]*)\]' -- "$text")[2]
    string match -ra '(?<=")[A-Za-z0-9._:/@+-]+(?=")' -- $list
end

function __cortex_policy_in -d 'whether the plain words begin with these'
    set -l plain (__cortex_policy_plain)
    set -l index 0
    for word in $argv
        set index (math $index + 1)
        test "$plain[$index]" = $word; or return 1
    end
end

function __cortex_policy_at -d 'whether there are so many plain words, and they begin with these'
    test (count (__cortex_policy_plain)) -eq $argv[1]; and __cortex_policy_in $argv[2..]
end

complete -c cortex-policy -f
complete -c cortex-policy -n '__cortex_policy_at 0' -a 'check' -d 'Decide a call, and count it if it is allowed.'
complete -c cortex-policy -n '__cortex_policy_at 0' -a 'completions' -d 'Print the completion script of a shell, for environments where shells do not look.'
complete -c cortex-policy -n '__cortex_policy_at 0' -a 'list' -d 'List the grants, and what is wrong with them.'
complete -c cortex-policy -n '__cortex_policy_at 0' -a 'show' -d 'Show a grant, its file, its stamp, and what is left of its budgets.'
complete -c cortex-policy -n '__cortex_policy_at 0' -a 'stamp' -d 'Show, verify or write the version and checksum of the grants.'
complete -c cortex-policy -n '__cortex_policy_at 0' -l version -d 'Print the version and exit.'
complete -c cortex-policy -n '__cortex_policy_at 0' -l help -d 'Show this message and exit.'
complete -c cortex-policy -n '__cortex_policy_at 1 check' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_at 2 check' -a '(__cortex_policy_actions (__cortex_policy_plain)[2])'
complete -c cortex-policy -n '__cortex_policy_in check' -l path -rF -d 'A path; several become `paths`.'
complete -c cortex-policy -n '__cortex_policy_in check' -l arg -x -d 'An argument of the call.'
complete -c cortex-policy -n '__cortex_policy_in check' -l args -x -d 'Arguments as one object.'
complete -c cortex-policy -n '__cortex_policy_in check' -l root -rF -d 'What holds .cortex/policy.'
complete -c cortex-policy -n '__cortex_policy_in check' -l wait -x -d 'Wait so long for budget.'
complete -c cortex-policy -n '__cortex_policy_in check' -l cost -x -d 'Hits to take.'
complete -c cortex-policy -n '__cortex_policy_in check' -l peek -d 'Decide, consume nothing.'
complete -c cortex-policy -n '__cortex_policy_in check' -l require-path -d 'Deny a call without a path.'
complete -c cortex-policy -n '__cortex_policy_in check' -l explain -d 'Print the rule, the file and the hint.'
complete -c cortex-policy -n '__cortex_policy_in check' -l json -d 'Print one line of JSON.'
complete -c cortex-policy -n '__cortex_policy_in check' -s q -l quiet -d 'Print nothing.'
complete -c cortex-policy -n '__cortex_policy_at 1 completions' -a 'bash zsh fish'
complete -c cortex-policy -n '__cortex_policy_in completions' -l help -d 'Show this message and exit.'
complete -c cortex-policy -n '__cortex_policy_in list' -l root -rF -d 'What holds .cortex/policy.'
complete -c cortex-policy -n '__cortex_policy_in list' -l json -d 'Print one line of JSON.'
complete -c cortex-policy -n '__cortex_policy_in list' -l help -d 'Show this message and exit.'
complete -c cortex-policy -n '__cortex_policy_at 1 show' -a '(__cortex_policy_ids)'
complete -c cortex-policy -n '__cortex_policy_in show' -l root -rF -d 'What holds .cortex/policy.'
complete -c cortex-policy -n '__cortex_policy_in show' -l json -d 'Print one line of JSON.'
complete -c cortex-policy -n '__cortex_policy_in show' -l help -d 'Show this message and exit.'
complete -c cortex-policy -n '__cortex_policy_at 1 stamp' -a 'show' -d 'Show the stamp\'s version and checksum.'
complete -c cortex-policy -n '__cortex_policy_at 1 stamp' -a 'verify' -d 'Compare the grants with their stamp; exit 1 where they differ.'
complete -c cortex-policy -n '__cortex_policy_at 1 stamp' -a 'write' -d 'Stamp every grant as it stands, as the next version.'
complete -c cortex-policy -n '__cortex_policy_in stamp' -l help -d 'Show this message and exit.'
complete -c cortex-policy -n '__cortex_policy_in stamp show' -l root -rF -d 'What holds .cortex/policy.'
complete -c cortex-policy -n '__cortex_policy_in stamp show' -l json -d 'Print one line of JSON.'
complete -c cortex-policy -n '__cortex_policy_in stamp show' -l help -d 'Show this message and exit.'
complete -c cortex-policy -n '__cortex_policy_in stamp verify' -l root -rF -d 'What holds .cortex/policy.'
complete -c cortex-policy -n '__cortex_policy_in stamp verify' -l json -d 'Print one line of JSON.'
complete -c cortex-policy -n '__cortex_policy_in stamp verify' -l help -d 'Show this message and exit.'
complete -c cortex-policy -n '__cortex_policy_in stamp write' -l root -rF -d 'What holds .cortex/policy.'
complete -c cortex-policy -n '__cortex_policy_in stamp write' -l json -d 'Print one line of JSON.'
complete -c cortex-policy -n '__cortex_policy_in stamp write' -l help -d 'Show this message and exit.'
