#!/bin/bash
# Stops this workstation when nobody has used it for so many minutes: `idle.sh 30 22 9460`. handson-idle.timer calls it
# each minute. In use is: a Session Manager session, a connection to one of the ports (of SSH, a remote editor's, too;
# a browser's at the running app), the set-up at its start, or work that goes on without one (a long build).
# Time is counted by uptime, so that neither a set clock nor a reboot looks like idling.
set -u

minutes=$1
shift
# A connection of the machine with itself is nobody's: a frontend may hold one to its backend for ever.
ports=$(printf ' or sport = :%s' "$@")
from_elsewhere="( ${ports# or } ) and not ( dst 127.0.0.0/8 or dst [::1] )"
stamp=${HANDSON_IDLE_STAMP:-/run/handson-idle}
uptime=${HANDSON_UPTIME:-/proc/uptime}
load=${HANDSON_LOADAVG:-/proc/loadavg}
set_up=${HANDSON_SET_UP:-/run/handson-set-up}
# Processes that ran or waited in the last minute. At rest an instance of one CPU has less than 0.1.
busy_load=0.5

# Print what the workstation is in use by, and nothing where it is idle.
used_by() {
  if pgrep -f 'ssm-session-worker' >/dev/null; then
    echo "a Session Manager session"
  elif [ -n "$(ss -Htn state established "$from_elsewhere")" ]; then
    echo "a connection"
  elif [ -r "$set_up" ] && kill -0 "$(<"$set_up")" 2>/dev/null; then
    echo "its set-up, which ends by itself"
  elif awk -v busy="$busy_load" '{ exit !($1 >= busy) }' "$load"; then
    echo "work that goes on"
  fi
}

read -r now _ <"$uptime"
now=${now%%.*}
used=$(used_by)
last=
[ -r "$stamp" ] && read -r last <"$stamp"
if [ -n "$used" ] || ! [[ $last =~ ^[0-9]+$ ]]; then
  echo "$now" >"$stamp"
elif ((now - last >= minutes * 60)); then
  logger -t handson-idle "Nobody has used this workstation for $minutes minutes; it stops."
  shutdown -h now
fi
