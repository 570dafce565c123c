# Made by `bascule completion`; the names are those of the running cluster.
_bascule_names() {
  bascule status --json 2>/dev/null | python3 -c 'import json, sys
ones = json.load(sys.stdin)[sys.argv[1]]
print(*sorted({one.get(key) for one in ones for key in ("name", "copy_of")} - {None}))' "$1" 2>/dev/null
}
_bascule_words() {  # $1 and $2: the words before the one that is completed; $3: the last of them
  case "$3" in
    --to|--on|--node) _bascule_names nodes; return ;;
    --service) _bascule_names services; return ;;
  esac
  if [ -z "$1" ]; then echo agent attribute clear completion config doctor drain drbdmeta drbdsetup events fence history import join key leave maintenance move node online rehearse restart simulate standby start start-alone status stop volume what-if why; return; fi
  if [ -z "$2" ]; then case "$1" in
    attribute) echo delete list set ;;
    config) echo apply check diff history node plan undo ;;
    drbdsetup) echo cstate dstate events2 get-gi role show-gi status ;;
    fence) echo confirm history node test ;;
    import) echo drbd ;;
    key) echo add create drop list use ;;
    maintenance) echo off on ;;
    node) echo add down remove replace token up ;;
    volume) echo adjust attach connect create detach disconnect down invalidate new-current-uuid outdate pause-sync primary resize resume-io resume-sync secondary split-brain status suspend-io up verify ;;
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
    'fence node') _bascule_names nodes ;;
    'fence test') _bascule_names nodes ;;
    'fence confirm') _bascule_names nodes ;;
    'start-alone') _bascule_names nodes ;;
    'volume status') _bascule_names volumes ;;
    'volume create') _bascule_names volumes ;;
    'volume up') _bascule_names volumes ;;
    'volume down') _bascule_names volumes ;;
    'volume attach') _bascule_names volumes ;;
    'volume detach') _bascule_names volumes ;;
    'volume connect') _bascule_names volumes ;;
    'volume disconnect') _bascule_names volumes ;;
    'volume adjust') _bascule_names volumes ;;
    'volume verify') _bascule_names volumes ;;
    'volume invalidate') _bascule_names volumes ;;
    'volume resize') _bascule_names volumes ;;
    'volume new-current-uuid') _bascule_names volumes ;;
    'volume outdate') _bascule_names volumes ;;
    'volume split-brain') _bascule_names volumes ;;
    'volume pause-sync') _bascule_names volumes ;;
    'volume resume-sync') _bascule_names volumes ;;
    'volume suspend-io') _bascule_names volumes ;;
    'volume resume-io') _bascule_names volumes ;;
    'drbdsetup status') _bascule_names volumes ;;
    'drbdsetup events2') _bascule_names volumes ;;
    'drbdsetup role') _bascule_names volumes ;;
    'drbdsetup cstate') _bascule_names volumes ;;
    'drbdsetup dstate') _bascule_names volumes ;;
    'drbdsetup show-gi') _bascule_names volumes ;;
    'drbdsetup get-gi') _bascule_names volumes ;;
    'drain') _bascule_names nodes ;;
    'restart') _bascule_names services ;;
    'completion') echo bash zsh ;;
  esac
  echo --help --json
  case "$1" in move) echo --to --no-wait ;; status) echo --watch --check ;; events) echo --follow --since ;; start|stop) echo --all ;; restart) echo --all --step ;; maintenance) echo --service --node --for --reason ;; history) echo --since --service --node --kind --follow ;; esac
}
_bascule() {
  local word=${COMP_WORDS[COMP_CWORD]} first= second=
  [ "$COMP_CWORD" -gt 1 ] && first=${COMP_WORDS[1]}
  [ "$COMP_CWORD" -gt 2 ] && second=${COMP_WORDS[2]}
  COMPREPLY=($(compgen -W "$(_bascule_words "$first" "$second" "${COMP_WORDS[COMP_CWORD-1]}")" -- "$word"))
}
complete -F _bascule bascule
