# bash completion for cortex-policy; made by scripts/generate.py
# Grant ids and actions are read here: starting Python on every TAB would take 150 ms.

_cortex_policy_tools() { # the directory of grants, of --root, the environment, or above the working directory
    local dir=$1
    [[ $dir ]] || dir=$CORTEX_POLICY_ROOT
    if [[ ! $dir ]]; then
        dir=$PWD
        while [[ $dir && ! -d $dir/.cortex/policy ]]; do dir=${dir%/*}; done
    fi
    printf '%s' "$dir/.cortex/policy/tools"
}

_cortex_policy_ids() {
    local file id
    for file in "$1"/*.json; do
        id=${file##*/}
        id=${id%.json}
        [[ $id =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] && printf '%s\n' "$id"
    done
}

_cortex_policy_actions() {
    [[ -r $1/$2.json ]] || return
    local text
    text=$(<"$1/$2.json")
    [[ $text =~ \"actions\"[[:space:]]*:[[:space:]]*\[([^]]*)\] ]] || return
    text=${BASH_REMATCH[1]}
    while [[ $text =~ \"([A-Za-z0-9._:/@+-]+)\"(.*) ]]; do
        printf '%s\n' "${BASH_REMATCH[1]}"
        text=${BASH_REMATCH[2]}
    done
}

_cortex_policy() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command='' root='' word index takes_value=''
    local -a plain=()
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        if [[ $takes_value ]]; then
            [[ $takes_value == --root ]] && root=$word
            takes_value=''
        elif [[ $word == -* ]]; then
            case " --arg --args --cost --path --root --wait " in *" $word "*) takes_value=$word ;; esac
        elif [[ ! $command ]]; then
            command=$word
        else
            plain+=("$word")
        fi
    done
    if [[ $takes_value ]]; then
        case $takes_value in
            --root) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
            --path) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        esac
        compopt -o filenames 2>/dev/null
        return
    fi
    local tools words='' options=''
    tools=$(_cortex_policy_tools "$root")
    case $command in
        '') words='check completions list show stamp' options='--help --version' ;;
        check)
            options='--arg --args --cost --explain --json --path --peek --quiet --require-path --root --wait -q'
            ((${#plain[@]} == 0)) && words="$(_cortex_policy_ids "$tools")"
            ((${#plain[@]} == 1)) && words="$(_cortex_policy_actions "$tools" "${plain[0]}")"
            ;;
        completions)
            options='--help'
            ((${#plain[@]} == 0)) && words="bash zsh fish"
            ;;
        list)
            options='--help --json --root'
            ;;
        show)
            options='--help --json --root'
            ((${#plain[@]} == 0)) && words="$(_cortex_policy_ids "$tools")"
            ;;
        stamp)
            options='--help --json --root'
            ((${#plain[@]} == 0)) && words="show verify write"
            ;;
    esac
    [[ $current == -* ]] && words=$options
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _cortex_policy cortex-policy
