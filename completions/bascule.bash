# Made by `bascule completion`; the names are those of the running cluster.
_bascule_names() {
  bascule status --json 2>/dev/null | python3 -c 'import json, sys
print(*[one["name"] for one in json.load(sys.stdin)[sys.argv[1]]])' "$1" 2>/dev/null
}
_bascule_words() {  # $1 and $2: the words before the one that is completed; $3: the last of them
  case "$3" in
    --to|--on|--node) _bascule_names nodes; return ;;
  esac
  if [ -z "$1" ]; then echo clear completion config drbdmeta events import move online standby start status stop volume; return; fi
  if [ -z "$2" ]; then case "$1" in
    config) echo check ;;
    import) echo drbd ;;
    volume) echo create primary secondary status ;;
  esac; fi
  case "$1${2:+ $2}" in
    'move') _bascule_names services ;;
    'standby') _bascule_names nodes ;;
    'online') _bascule_names nodes ;;
    'start') _bascule_names services ;;
    'stop') _bascule_names services ;;
    'clear') _bascule_names services ;;
    'volume primary') _bascule_names volumes ;;
    'volume secondary') _bascule_names volumes ;;
    'volume status'|'volume create') _bascule_names volumes ;;
    'completion') echo bash zsh ;;
  esac
  echo --help --json
  case "$1" in move) echo --to --no-wait ;; status) echo --watch --check ;; events) echo --follow --since ;; esac
}
_bascule() {
  local word=${COMP_WORDS[COMP_CWORD]} first= second=
  [ "$COMP_CWORD" -gt 1 ] && first=${COMP_WORDS[1]}
  [ "$COMP_CWORD" -gt 2 ] && second=${COMP_WORDS[2]}
  COMPREPLY=($(compgen -W "$(_bascule_words "$first" "$second" "${COMP_WORDS[COMP_CWORD-1]}")" -- "$word"))
}
complete -F _bascule bascule
