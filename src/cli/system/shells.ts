/**
 * Completion scripts. Each hands the words up to the cursor to `berth __complete`, which answers with a candidate and
 * its description on each line, `:files` where file names fit, and `:nospace` where the word goes on.
 */

const bash = String.raw`# bash completion for berth
_berth() {
    # Readline also parts words at ':' and '=', which here belong to them.
    local rest=${"$"}{COMP_LINE:0:COMP_POINT} words=() word i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        if ((i == 0)) || [[ $rest == [[:space:]]* ]]; then words+=(""); fi
        rest=${"$"}{rest#"${"$"}{rest%%[![:space:]]*}"}
        word=${"$"}{COMP_WORDS[i]}
        if ((i == COMP_CWORD)); then word=$rest; fi
        words[${"$"}{#words[@]} - 1]+=$word
        rest=${"$"}{rest#"$word"}
    done
    local current=${"$"}{words[${"$"}{#words[@]} - 1]} line prefix=
    # What stands before the last of those characters is not replaced.
    if [[ $current == *[:=]* ]]; then prefix=${"$"}{current%"${"$"}{current##*[:=]}"}; fi
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :files)
                while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "${"$"}{current#"$prefix"}")
                compopt -o filenames 2>/dev/null
                ;;
            :nospace) compopt -o nospace 2>/dev/null ;;
            *)
                line=${"$"}{line%%$'\t'*}
                if [[ $line == "$current"* ]]; then COMPREPLY+=("${"$"}{line#"$prefix"}"); fi
                ;;
        esac
    done < <("${"$"}{words[0]/#\~/$HOME}" __complete -- "${"$"}{words[@]:1}" 2>/dev/null)
}
complete -F _berth berth
`;

const zsh = String.raw`#compdef berth
_berth() {
    local line files=0
    local -a candidates suffix
    for line in "${"$"}{(@f)$(${"$"}{(Q)words[1]} __complete -- "${"$"}{(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}"; do
        case $line in
            :files) files=1 ;;
            :nospace) suffix=(-S '') ;;
            ?*) candidates+=("${"$"}{${"$"}{line%%$'\t'*}//:/\\:}:${"$"}{line#*$'\t'}") ;;
        esac
    done
    if ((files)); then _files; fi
    _describe -V 'berth' candidates $suffix
}
if [[ $funcstack[1] == _berth ]]; then _berth "$@"; else compdef _berth berth; fi
`;

const fish = String.raw`# fish completion for berth
function __berth_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] __complete -- $words[2..-1] "$current" 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path "$current"
            case :nospace
            case '*'
                echo $line
        end
    end
end
complete -c berth -f -k -a '(__berth_complete)'
`;

export const scripts: Readonly<Record<string, string>> = { bash, zsh, fish };
