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
@settings@
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
        elif [[ " @valued@ " == *" $word "* ]]; then
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
@choices@
        -*) return ;;
    esac
    case "${plain[*]-} " in
@cases@
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
