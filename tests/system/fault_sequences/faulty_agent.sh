#!/bin/sh
# In the hosts of the fault sequences it lies where Debian's agent `anything` lies, and does what that one does, as long as
# the file fault does not say otherwise. agent_faults.py puts it there.
here=/etc/bascule/agent
fault=
[ -e $here/fault ] && read -r fault <$here/fault
case $1 in
  start | stop | monitor) ;;
  *) fault= ;;
esac
case $fault in
  agent-hangs)
    exec sleep 86399 ;;
  agent-says-running)
    [ "$1" = monitor ] && exit 0 ;;
  agent-says-stopped)
    [ "$1" = monitor ] && exit 7 ;;
  agent-leaves-children)
    if [ "$1" = stop ]; then
      $here/anything stop
      code=$?
      # One more server, in the mounted file system, at the service's address, that nobody knows of.
      cd "$(dirname "${OCF_RESKEY_cmdline_options##* }")" 2>/dev/null
      # shellcheck disable=SC2086
      setsid $OCF_RESKEY_binfile $OCF_RESKEY_cmdline_options >/dev/null 2>&1 </dev/null &
      exit $code
    fi ;;
esac
exec $here/anything "$@"
