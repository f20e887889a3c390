#!/usr/bin/env bash
# What is checked beyond tests: the format of every C++ file that changed since the base, clang-tidy
# on the .cc files among them, and the C++ tests under AddressSanitizer and UBSan.
#   tests/check.sh [BASE]     BASE: a commit; default: what this branch has that origin/main has not,
#                             or, without a remote, the last 20 commits
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

base=${1:-}
if [ -z "$base" ]; then
  base=$(git merge-base HEAD origin/main 2>/dev/null) ||
    base=$(git rev-parse -q --verify HEAD~20 2>/dev/null) ||
    base=$(git hash-object -t tree /dev/null)
  [ "$base" != "$(git rev-parse HEAD)" ] || base=$(git hash-object -t tree /dev/null)
fi
mapfile -t changed < <(
  {
    git diff --name-only --diff-filter=d "$base" -- '*.cc' '*.h'
    git ls-files --others --exclude-standard -- '*.cc' '*.h'
  } | sort -u)
failed=0

build=build/asan
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
[ -f "$build/build.ninja" ] || cmake --preset asan "${launcher[@]}" >/dev/null || exit 1

echo "== clang-format: ${#changed[@]} changed files"
if [ ${#changed[@]} -gt 0 ]; then
  clang-format --dry-run --Werror "${changed[@]}" || failed=1
fi

echo "== clang-tidy"
sources=()
for file in "${changed[@]}"; do
  # Only what the build knows: fuzzers and samples have no command line there.
  [[ $file == *.cc ]] && grep -q "\"file\": \"$PWD/$file\"" "$build/compile_commands.json" && sources+=("$file")
done
if [ ${#sources[@]} -gt 0 ]; then
  printf '%s\n' "${sources[@]}" | xargs -P 2 -n 4 clang-tidy --quiet -p "$build" 2>/dev/null || failed=1
fi

echo "== the C++ tests under ASan and UBSan"
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
ninja -C "$build" >"$build/build.log" 2>&1 || { tail -40 "$build/build.log"; failed=1; }
ctest --test-dir "$build" --output-on-failure --no-tests=error -j2 || failed=1

if [ "$failed" -eq 0 ]; then echo "check passed"; else echo "check failed"; fi
exit "$failed"
