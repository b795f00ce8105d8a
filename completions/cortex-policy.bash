# bash completion for cortex-policy; made by scripts/generate.py
# Grant ids and actions are read here: starting Python on every TAB would take 150 ms.
# Only plain words are ever offered: the name of a file and the text of a grant are nobody's code.

_cortex_policy_tools() { # the directory of grants, of --root, the environment, or above the working directory
    local dir=$1
    [[ $dir ]] || dir=${CORTEX_POLICY_ROOT-}
    if [[ ! $dir ]]; then
        dir=$PWD
        while [[ $dir && ! -d $dir/.cortex/policy ]]; do dir=${dir%/*}; done
    fi
    printf '%s' "$dir/.cortex/policy/tools"
}

_cortex_policy_ids() (
    set +f
    shopt -u failglob
    for file in "$1"/*.json; do
        id=${file##*/} id=${id%.json}
        [[ $id == [A-Za-z0-9]* && $id != *[!A-Za-z0-9._-]* ]] && printf '%s\n' "$id"
    done
)

_cortex_policy_names() { # what has a stamp and a history: grants, and the rules of agents' hooks
    _cortex_policy_ids "$1"
    [[ ! -f ${1%/*}/hooks.toml ]] || printf 'hooks.toml\n'
}

_cortex_policy_actions() {
    [[ -f $1/$2.json && -r $1/$2.json ]] || return
    local text list='"actions"[[:space:]]*:[[:space:]]*\[([^]]*)\]' one='"([A-Za-z0-9._:/@+-]+)"(.*)'
    { text=$(<"$1/$2.json"); } 2>/dev/null
    [[ $text =~ $list ]] || return
    text=${BASH_REMATCH[1]}
    while [[ $text =~ $one ]]; do
        printf '%s\n' "${BASH_REMATCH[1]}"
        text=${BASH_REMATCH[2]}
    done
}

_cortex_policy_versions() ( # of the stamp, of which the history knows the grants
    set +f
    shopt -u failglob
    for file in "${1%/tools}/history"/*-v*.json; do
        version=${file##*-v} version=${version%.json}
        [[ $version && $version != *[!0-9]* ]] && printf '%s\n' "$version"
    done
)

_cortex_policy_revisions() { # branches and tags; nothing that the repository configures is run
    local name root=${1%/.cortex/policy/tools}
    GIT_OPTIONAL_LOCKS=0 GIT_NO_LAZY_FETCH=1 command git --no-pager -c core.fsmonitor=false -c safe.bareRepository=explicit \
        -C "${root:-/}" for-each-ref --count=1000 --format='%(refname:short)' refs/heads refs/tags refs/remotes 2>/dev/null |
        while IFS= read -r name; do
            [[ $name == [A-Za-z0-9]* && $name != *[!A-Za-z0-9._/@+-]* ]] && printf '%s\n' "$name"
        done
}

_cortex_policy_values() { # what a setting may be
    case $1 in
        sensitive) printf '%s' 'allow ask deny' ;;
        require_path) printf '%s' 'true false' ;;
        undeclared_args) printf '%s' 'allow deny' ;;
        stamp) printf '%s' 'off require' ;;
        state_dir) printf '%s' 'files' ;;
        audit.file) printf '%s' 'files' ;;
        audit.args) printf '%s' 'names fingerprints full' ;;
        audit.on_error) printf '%s' 'ignore deny' ;;
        approvals.file) printf '%s' 'files' ;;
        approvals.notify) printf '%s' 'files' ;;
        approvals.elicitation) printf '%s' 'true false' ;;
        budgets.key_file) printf '%s' 'files' ;;
        budgets.password_file) printf '%s' 'files' ;;
        budgets.on_error) printf '%s' 'local deny' ;;
        validate.select) printf '%s' 'syntax shape key tool action scope arg budget hooks file stamp settings syntax-json syntax-encoding syntax-bom syntax-comment syntax-comma syntax-quotes syntax-shell syntax-conflict syntax-key syntax-number syntax-string syntax-limit shape-missing shape-type shape-value shape-schema shape-other key-unknown key-idle key-schema key-other-schema tool-id action-none action-empty action-blank action-glob action-twice scope-dead scope-guarded scope-covered scope-case scope-absent scope-link scope-none scope-escalation scope-sensitive scope-no-path arg-keyword arg-pattern arg-pathlike arg-undeclared budget-shared hooks-syntax hooks-key hooks-value hooks-rule hooks-ignore hooks-tool hooks-subagents hooks-unreachable hooks-grant hooks-action file-missing file-unreadable file-unsafe file-name file-stray file-outside file-none file-ignore file-schema stamp-missing stamp-broken stamp-differs settings-invalid settings-unused' ;;
        validate.ignore) printf '%s' 'syntax shape key tool action scope arg budget hooks file stamp settings syntax-json syntax-encoding syntax-bom syntax-comment syntax-comma syntax-quotes syntax-shell syntax-conflict syntax-key syntax-number syntax-string syntax-limit shape-missing shape-type shape-value shape-schema shape-other key-unknown key-idle key-schema key-other-schema tool-id action-none action-empty action-blank action-glob action-twice scope-dead scope-guarded scope-covered scope-case scope-absent scope-link scope-none scope-escalation scope-sensitive scope-no-path arg-keyword arg-pattern arg-pathlike arg-undeclared budget-shared hooks-syntax hooks-key hooks-value hooks-rule hooks-ignore hooks-tool hooks-subagents hooks-unreachable hooks-grant hooks-action file-missing file-unreadable file-unsafe file-name file-stray file-outside file-none file-ignore file-schema stamp-missing stamp-broken stamp-differs settings-invalid settings-unused' ;;
    esac
}

_cortex_policy_requests() { # of the calls that wait for a human, where the environment or nobody says where they are
    local state=${CORTEX_POLICY_STATE_DIR-} file=${CORTEX_POLICY_APPROVALS_FILE-${CORTEX_HITL_STORE-}}
    [[ $state ]] || state=/dev/shm/cortex-policy-$EUID
    [[ $file ]] || file=$state/approvals.jsonl
    [[ -f $file && -r $file ]] && sed -n 's/^{"id":"\([0-9a-f]\{8\}\)","type":"request".*/\1/p' "$file"
}

_cortex_policy_programs() ( # on PATH, whose name begins with $1
    set +f
    shopt -u failglob
    IFS=:
    for directory in $PATH; do
        for file in "${directory:-.}/$1"*; do
            name=${file##*/}
            [[ -f $file && -x $file && $name != *[!A-Za-z0-9._+-]* ]] && printf '%s\n' "$name"
        done
    done
)

_cortex_policy_words() { # the words up to the cursor, whole: readline breaks them at `:` and `=`
    local index word glue=''
    words=()
    for ((index = 1; index <= COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        if [[ ${#words[@]} -gt 0 && ($glue || $word == [:=]*) ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        glue=''
        [[ $word == [:=]* && $word != *[!:=]* ]] && glue=yes
    done
}

_cortex_policy() {
    local IFS=$' \t\n' current head word value='' root='' index tools place flags=''
    local -a words plain=() offered=()
    local choices=''
    COMPREPLY=()
    _cortex_policy_words
    for ((index = 0; index < ${#words[@]} - 1; index++)); do
        word=${words[index]//[\"\'\\]/}
        if [[ $word == -- && ${plain[0]-} == run ]]; then # what follows is a command, not ours
            current=${words[${#words[@]} - 1]}
            if ((index < ${#words[@]} - 2)) || [[ $current == */* ]]; then
                compopt -o default 2>/dev/null
            else
                COMPREPLY=($(_cortex_policy_programs "${current//[\"\']/}"))
            fi
            return
        elif [[ $value ]]; then
            [[ $value == --root ]] && root=$word
            value=''
        elif [[ $word == --root=* ]]; then
            root=${word#*=}
        elif [[ " --add-scope --against --agent --allow --arg --args --at --batch --cert --cost --cursor --data-class --deadline --denied-exit --drop-arg --expect --fail-on --fail-under --filter --format --grant --ignore --init --install --key --mode --number --out --output --path --port --rate --reader --reason --remove-scope --request --revoke --root --scope --select --server --since --socket --tcp --timeout --to --token --tool --user --version --wait --with --workers -n " == *" $word "* ]]; then
            value=$word
        elif [[ $word != -* ]]; then
            plain+=("$word")
        fi
    done
    current=${words[index]}
    [[ $current == --*=* ]] && value=${current%%=*}
    [[ $root == \~/* ]] && root=$HOME/${root:2}
    tools=$(_cortex_policy_tools "$root")
    case "$value ${plain[*]-} " in
        '--root '*) compopt -o dirnames 2>/dev/null; return ;; # readline quotes files better than we could
        '--path '*) compopt -o default 2>/dev/null; return ;; # bash 3.2 has no compopt and offers nothing
        '--against diff '*) choices=" stamp $(_cortex_policy_revisions "$tools")" ;;
        '--agent hook init '*) choices='claude codex gemini cursor copilot vscode' ;;
        '--at show '*) choices=" $(_cortex_policy_versions "$tools")" ;;
        '--data-class new '*) choices='public internal sensitive' ;;
        '--data-class set '*) choices='public internal sensitive' ;;
        '--fail-on diff '*) choices='widened' ;;
        '--fail-on replay '*) choices='allow deny any' ;;
        '--format export '*) choices='wasm loader' ;;
        '--grant audit show '*) choices=" $(_cortex_policy_names "$tools")" ;;
        '--grant audit stats '*) choices=" $(_cortex_policy_names "$tools")" ;;
        '--grant suggest '*) choices=" $(_cortex_policy_ids "$tools")" ;;
        '--ignore validate '*) choices='syntax shape key tool action scope arg budget hooks file stamp settings syntax-json syntax-encoding syntax-bom syntax-comment syntax-comma syntax-quotes syntax-shell syntax-conflict syntax-key syntax-number syntax-string syntax-limit shape-missing shape-type shape-value shape-schema shape-other key-unknown key-idle key-schema key-other-schema tool-id action-none action-empty action-blank action-glob action-twice scope-dead scope-guarded scope-covered scope-case scope-absent scope-link scope-none scope-escalation scope-sensitive scope-no-path arg-keyword arg-pattern arg-pathlike arg-undeclared budget-shared hooks-syntax hooks-key hooks-value hooks-rule hooks-ignore hooks-tool hooks-subagents hooks-unreachable hooks-grant hooks-action file-missing file-unreadable file-unsafe file-name file-stray file-outside file-none file-ignore file-schema stamp-missing stamp-broken stamp-differs settings-invalid settings-unused' ;;
        '--init test '*) choices=" $(_cortex_policy_ids "$tools")" ;;
        '--mode audit send '*) choices='structured binary batch' ;;
        '--output approvals '*) choices='table tsv' ;;
        '--output config list '*) choices='table tsv' ;;
        '--output diff '*) choices='table tsv' ;;
        '--output hook status '*) choices='table tsv' ;;
        '--output list '*) choices='table tsv' ;;
        '--output log '*) choices='table tsv' ;;
        '--output rate show '*) choices='table tsv' ;;
        '--output replay '*) choices='table tsv' ;;
        '--output rule '*) choices='table tsv' ;;
        '--output test '*) choices='text json junit' ;;
        '--output validate '*) choices='text json github gitlab sarif junit' ;;
        '--reason audit show '*) choices='allowed action_not_allowed argument_not_allowed path_outside_scope approval_required rate_limited stopped grant_not_found grant_invalid grant_unsafe stamp_mismatch state_unavailable root_not_found root_ambiguous settings_invalid' ;;
        '--select validate '*) choices='syntax shape key tool action scope arg budget hooks file stamp settings syntax-json syntax-encoding syntax-bom syntax-comment syntax-comma syntax-quotes syntax-shell syntax-conflict syntax-key syntax-number syntax-string syntax-limit shape-missing shape-type shape-value shape-schema shape-other key-unknown key-idle key-schema key-other-schema tool-id action-none action-empty action-blank action-glob action-twice scope-dead scope-guarded scope-covered scope-case scope-absent scope-link scope-none scope-escalation scope-sensitive scope-no-path arg-keyword arg-pattern arg-pathlike arg-undeclared budget-shared hooks-syntax hooks-key hooks-value hooks-rule hooks-ignore hooks-tool hooks-subagents hooks-unreachable hooks-grant hooks-action file-missing file-unreadable file-unsafe file-name file-stray file-outside file-none file-ignore file-schema stamp-missing stamp-broken stamp-differs settings-invalid settings-unused' ;;
        '--to undo '*) choices=" $(_cortex_policy_versions "$tools")" ;;
        '--with replay '*) compopt -o plusdirs 2>/dev/null; choices=" $(_cortex_policy_revisions "$tools")" ;;
        -*) return ;;
    esac
    case "${plain[*]-} " in
        'audit send '*)
            offered=('' '' '' 'files')
            flags='-f --follow --mode --token --cursor -q --quiet --json -h --help'
            ;;
        'audit show '*)
            offered=('' '' 'files' 'files' 'files' 'files' 'files' 'files' 'files' 'files')
            flags='--root --since --grant --reason --denied -n --number --json -h --help'
            ;;
        'audit stats '*)
            offered=('' '' 'files' 'files' 'files' 'files' 'files' 'files' 'files' 'files')
            flags='--root --since --grant --json -h --help'
            ;;
        'audit tail '*)
            offered=('' '' 'files')
            flags='--root -n --number -f --follow --json -h --help'
            ;;
        'audit verify '*)
            offered=('' '' 'files' 'files' 'files' 'files' 'files' 'files' 'files' 'files')
            flags='--expect --json -h --help'
            ;;
        'config edit '*)
            offered=('' '')
            flags='--root --user --project --system --resume --wait -h --help'
            ;;
        'config get '*)
            offered=('' '' 'sensitive require_path undeclared_args stamp state_dir editor history.keep audit.file audit.args audit.on_error audit.max_bytes audit.keep approvals.file approvals.timeout_seconds approvals.notify approvals.elicitation budgets.url budgets.name budgets.key_file budgets.password_file budgets.timeout_ms budgets.on_error budgets.local_share budgets.wait_replicas validate.select validate.ignore validate.suppress')
            flags='--root --json -h --help'
            ;;
        'config list '*)
            offered=('' '')
            flags='--root --output --json -h --help'
            ;;
        'config path '*)
            offered=('' '')
            flags='--root --user --project --system --json -h --help'
            ;;
        'config set '*)
            offered=('' '' 'sensitive require_path undeclared_args stamp state_dir editor history.keep audit.file audit.args audit.on_error audit.max_bytes audit.keep approvals.file approvals.timeout_seconds approvals.notify approvals.elicitation budgets.url budgets.name budgets.key_file budgets.password_file budgets.timeout_ms budgets.on_error budgets.local_share budgets.wait_replicas validate.select validate.ignore validate.suppress' 'values')
            flags='--root --user --project --system --allow-widening --wait --json -q --quiet -h --help'
            ;;
        'config unset '*)
            offered=('' '' 'sensitive require_path undeclared_args stamp state_dir editor history.keep audit.file audit.args audit.on_error audit.max_bytes audit.keep approvals.file approvals.timeout_seconds approvals.notify approvals.elicitation budgets.url budgets.name budgets.key_file budgets.password_file budgets.timeout_ms budgets.on_error budgets.local_share budgets.wait_replicas validate.select validate.ignore validate.suppress')
            flags='--root --user --project --system --allow-widening --wait --json -q --quiet -h --help'
            ;;
        'hook doctor '*)
            offered=('' '' 'claude codex gemini cursor copilot vscode')
            flags='--root --json -h --help'
            ;;
        'hook edit '*)
            offered=('' '')
            flags='--root --resume --wait -h --help'
            ;;
        'hook init '*)
            offered=('' '')
            flags='--root --agent --dry-run --yes --wait --json -q --quiet -h --help'
            ;;
        'hook install '*)
            offered=('' '' 'claude codex gemini cursor copilot vscode')
            flags='--root --user --project --managed --dry-run --yes --json -q --quiet -h --help'
            ;;
        'hook serve '*)
            offered=('' '' 'claude codex gemini cursor copilot vscode')
            flags='--root --socket --port --key --token --install --deadline --json -h --help'
            ;;
        'hook status '*)
            offered=('' '')
            flags='--root --output --json -h --help'
            ;;
        'hook uninstall '*)
            offered=('' '' 'claude codex gemini cursor copilot vscode')
            flags='--root --user --project --managed --dry-run --yes --json -q --quiet -h --help'
            ;;
        'mcp proxy '*)
            offered=('' '' '' '' '' '' '' '' '' '')
            flags='--server --root -h --help'
            ;;
        'mcp serve '*)
            offered=('' '')
            flags='--root -h --help'
            ;;
        'rate purge '*)
            offered=('' '')
            flags='--root --user --yes --json -q --quiet -h --help'
            ;;
        'rate reset '*)
            offered=('' '' 'ids' 'actions')
            flags='--root --user --yes --json -q --quiet -h --help'
            ;;
        'rate show '*)
            offered=('' '' 'ids')
            flags='--root --user --output --json -h --help'
            ;;
        'rate watch '*)
            offered=('' '' 'ids')
            flags='--root --user --json -h --help'
            ;;
        'stamp merge '*)
            offered=('' '')
            flags='--root --wait --json -q --quiet -h --help'
            ;;
        'stamp merge-files '*)
            offered=('' '' 'files' 'files' 'files')
            flags='-h --help'
            ;;
        'stamp show '*)
            offered=('' '')
            flags='--root --json -h --help'
            ;;
        'stamp verify '*)
            offered=('' '')
            flags='--root --json -h --help'
            ;;
        'stamp wait '*)
            offered=('' '')
            flags='--root --version --reader --timeout --json -h --help'
            ;;
        'stamp write '*)
            offered=('' '')
            flags='--root --allow-widening --wait --json -q --quiet -h --help'
            ;;
        'approvals '*)
            offered=('' 'requests')
            flags='--root --all --watch --output --json -h --help'
            ;;
        'approve '*)
            offered=('' 'requests')
            flags='--root --yes --json -q --quiet -h --help'
            ;;
        'audit '*)
            offered=('' 'send show stats tail verify')
            flags='-h --help'
            ;;
        'check '*)
            offered=('' 'ids' 'actions')
            flags='--path --arg --args --root --cost --require-path --wait --peek --explain --json -q --quiet --batch --request'
            ;;
        'completions '*)
            offered=('' 'bash zsh fish')
            flags='-h --help'
            ;;
        'config '*)
            offered=('' 'edit get list path set unset')
            flags='-h --help'
            ;;
        'copy '*)
            offered=('' 'ids' '')
            flags='--root --dry-run --allow-widening --wait --json -q --quiet -h --help'
            ;;
        'deny '*)
            offered=('' 'requests')
            flags='--root --reason --json -q --quiet -h --help'
            ;;
        'diff '*)
            offered=('' 'names' 'ids')
            flags='--root --against --fail-on --markdown --output --json -h --help'
            ;;
        'doctor '*)
            offered=('')
            flags='--root --json -h --help'
            ;;
        'edit '*)
            offered=('' 'ids')
            flags='--root --resume --wait -h --help'
            ;;
        'enforce '*)
            offered=('' 'ids' 'actions')
            flags='--path --arg --args --root --cost --require-path --wait --peek --explain --json -q --quiet --batch --request'
            ;;
        'explain '*)
            offered=('' 'ids' 'actions')
            flags='--path --arg --args --root --cost --require-path --json'
            ;;
        'export '*)
            offered=('')
            flags='--root --format --out --empty --json -h --help'
            ;;
        'fmt '*)
            offered=('' 'ids' 'ids' 'ids' 'ids' 'ids' 'ids' 'ids' 'ids')
            flags='--root --check --diff --wait --json -q --quiet -h --help'
            ;;
        'help '*)
            offered=('' 'check enforce run explain status list show log rate audit approvals new edit set copy rename remove fmt undo suggest approve deny validate rule test replay diff stamp stop resume init hook mcp serve doctor config schema export completions shell-init help')
            flags='-h --help'
            ;;
        'hook '*)
            offered=('' 'doctor edit init install serve status uninstall')
            flags='-h --help'
            ;;
        'init '*)
            offered=('')
            flags='--root --pre-commit --git --wait --json -q --quiet -h --help'
            ;;
        'list '*)
            offered=('')
            flags='--root --output --json -h --help'
            ;;
        'log '*)
            offered=('' 'names')
            flags='--root -n --number --output --json -h --help'
            ;;
        'mcp '*)
            offered=('' 'proxy serve')
            flags='-h --help'
            ;;
        'new '*)
            offered=('' '')
            flags='--tool --allow --rate --scope --data-class --arg --root --dry-run --allow-widening --wait --json -q --quiet -h --help'
            ;;
        'rate '*)
            offered=('' 'purge reset show watch')
            flags='-h --help'
            ;;
        'remove '*)
            offered=('' 'ids')
            flags='--root --dry-run --yes --wait --json -q --quiet -h --help'
            ;;
        'rename '*)
            offered=('' 'ids' '')
            flags='--root --dry-run --wait --json -q --quiet -h --help'
            ;;
        'replay '*)
            offered=('' 'files' 'files' 'files' 'files' 'files' 'files' 'files' 'files')
            flags='--root --with --since --fail-on --output --json -h --help'
            ;;
        'resume '*)
            offered=('')
            flags='--root --json -q --quiet -h --help'
            ;;
        'rule '*)
            offered=('' 'syntax shape key tool action scope arg budget hooks file stamp settings syntax-json syntax-encoding syntax-bom syntax-comment syntax-comma syntax-quotes syntax-shell syntax-conflict syntax-key syntax-number syntax-string syntax-limit shape-missing shape-type shape-value shape-schema shape-other key-unknown key-idle key-schema key-other-schema tool-id action-none action-empty action-blank action-glob action-twice scope-dead scope-guarded scope-covered scope-case scope-absent scope-link scope-none scope-escalation scope-sensitive scope-no-path arg-keyword arg-pattern arg-pathlike arg-undeclared budget-shared hooks-syntax hooks-key hooks-value hooks-rule hooks-ignore hooks-tool hooks-subagents hooks-unreachable hooks-grant hooks-action file-missing file-unreadable file-unsafe file-name file-stray file-outside file-none file-ignore file-schema stamp-missing stamp-broken stamp-differs settings-invalid settings-unused')
            flags='--output --json -h --help'
            ;;
        'run '*)
            offered=('' 'ids' 'actions' '' '' '' '' '' '' '' '')
            flags='--path --arg --args --root --cost --require-path --wait --for-each -0 --denied-exit -q --quiet'
            ;;
        'schema '*)
            offered=('')
            flags='--root --install --wait --json -h --help'
            ;;
        'serve '*)
            offered=('')
            flags='--root --socket --tcp --token --cert --key --workers --link --json -h --help'
            ;;
        'set '*)
            offered=('' 'ids')
            flags='--rate --data-class --allow --revoke --add-scope --remove-scope --arg --drop-arg --tool --root --dry-run --allow-widening --wait --json -q --quiet -h --help'
            ;;
        'shell-init '*)
            offered=('' 'bash zsh fish')
            flags='--write -h --help'
            ;;
        'show '*)
            offered=('' 'names')
            flags='--root --at --json -h --help'
            ;;
        'stamp '*)
            offered=('' 'merge merge-files show verify wait write')
            flags='-h --help'
            ;;
        'status '*)
            offered=('')
            flags='--root --watch --json -h --help'
            ;;
        'stop '*)
            offered=('')
            flags='--root --reason --json -q --quiet -h --help'
            ;;
        'suggest '*)
            offered=('' 'files' 'files' 'files' 'files' 'files' 'files' 'files' 'files')
            flags='--root --since --grant --json -h --help'
            ;;
        'test '*)
            offered=('' 'files' 'files' 'files' 'files' 'files' 'files' 'files' 'files')
            flags='--root --init --update --filter --fail-under --output --watch --json -h --help'
            ;;
        'undo '*)
            offered=('' 'names')
            flags='--root --to --dry-run --allow-widening --wait --json -q --quiet -h --help'
            ;;
        'validate '*)
            offered=('' 'files' 'files' 'files' 'files' 'files' 'files' 'files' 'files')
            flags='--root --strict --fix --select --ignore --output --wait --json -h --help'
            ;;
        *)
            offered=('approvals approve audit check completions config copy deny diff doctor edit enforce explain export fmt help hook init list log mcp new rate remove rename replay resume rule run schema serve set shell-init show stamp status stop suggest test undo validate')
            flags='--root -V --version -h --help'
            ;;
    esac
    place=${offered[${#plain[@]}]-}
    [[ $place == values ]] && place=$(_cortex_policy_values "${plain[${#plain[@]} - 1]}")
    case $place in
        ids) place=$(_cortex_policy_ids "$tools") ;;
        names) place=$(_cortex_policy_names "$tools") ;;
        actions) place=$(_cortex_policy_actions "$tools" "${plain[${#plain[@]} - 1]}") ;;
        requests) place=$(_cortex_policy_requests) ;;
        files) [[ $current != -* && ! $choices ]] && { compopt -o default 2>/dev/null; return; } ;;
    esac
    [[ $current == -* ]] && place=$flags
    [[ $choices ]] && place=$choices current=${current#--*=}
    head=''
    [[ $current == *:* ]] && head=${current%:*}: # what is before the last break stays on the line
    current=${current//[\"\']/}
    for word in $place; do
        [[ $word == "$current"* ]] && COMPREPLY+=("${word#"$head"}")
    done
}

complete -F _cortex_policy cortex-policy
