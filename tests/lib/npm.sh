# Sourced by ./dev and tests/run.sh.

# npm ci in a folder, only when its lock file has changed since the last time.
install_modules() {
  local folder=$1 stamp=$1/node_modules/.hearth-lock
  [ -f "$stamp" ] && cmp -s "$folder/package-lock.json" "$stamp" && return
  echo "installing npm packages in $folder" >&2
  (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error) && cp "$folder/package-lock.json" "$stamp"
}
