# Shared by the scripts in scripts/: where things are, and how a script talks. Source it, do not run it.
# shellcheck shell=bash

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
LOG_DIR="${SEALANE_LOG_DIR:-$ROOT/var/log/scripts}"

# Colours only on a terminal.
if [[ -t 1 ]]; then
  BOLD=$'\e[1m' RED=$'\e[31m' GREEN=$'\e[32m' RESET=$'\e[0m'
else
  BOLD='' RED='' GREEN='' RESET=''
fi

say() { printf '%s\n' "${BOLD}==>${RESET} $*"; }

fail() {
  printf '%s\n' "${RED}error:${RESET} $*" >&2
  exit 1
}

# step NAME COMMAND...: runs the command with its output in $LOG_DIR/NAME.log, prints one line with the
# time it took; on failure the end of the log and where it is, and returns the command's exit code.
step() {
  local name=$1 log="$LOG_DIR/$1.log" start=$SECONDS code=0
  shift
  mkdir -p "$LOG_DIR"
  printf '%s' "${BOLD}==>${RESET} $name ... "
  "$@" >"$log" 2>&1 || code=$?
  if ((code == 0)); then
    printf '%s\n' "${GREEN}ok${RESET} ($((SECONDS - start)) s)"
  else
    printf '%s\n' "${RED}failed${RESET} ($((SECONDS - start)) s, exit code $code)"
    printf '%s\n' "--- the end of $log:"
    tail -n "${STEP_TAIL:-40}" "$log"
    printf '%s\n' "${RED}error:${RESET} step '$name' failed; its whole log is $log" >&2
  fi
  return "$code"
}

# jobs_count: compilers to run at once. Each may need about 1.5 GiB.
jobs_count() {
  local cores memory_kib by_memory
  cores=$(nproc)
  memory_kib=$(awk '/^MemTotal:/ {print $2}' /proc/meminfo)
  by_memory=$((memory_kib / 1500000))
  ((by_memory >= 1)) || by_memory=1
  echo $((cores < by_memory ? cores : by_memory))
}
