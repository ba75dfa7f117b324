#!/bin/bash
# Stops this workstation when nobody has used it for so many minutes: `idle.sh 30`. handson-idle.timer calls it each
# minute. In use is: a Session Manager session, an SSH connection (a remote editor's, too), or work that goes on
# without one (a long build). Time is counted by uptime, so that neither a set clock nor a reboot looks like idling.
set -u

minutes=$1
stamp=${HANDSON_IDLE_STAMP:-/run/handson-idle}
uptime=${HANDSON_UPTIME:-/proc/uptime}
load=${HANDSON_LOADAVG:-/proc/loadavg}
# Processes that ran or waited in the last minute. At rest an instance of one CPU has less than 0.1.
busy_load=0.5

# Print what the workstation is in use by, and nothing where it is idle.
used_by() {
  if pgrep -f 'ssm-session-worker' >/dev/null; then
    echo "a Session Manager session"
  elif [ -n "$(ss -Hnt state established '( sport = :22 )')" ]; then
    echo "an SSH connection"
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
