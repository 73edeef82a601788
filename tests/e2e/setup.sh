#!/usr/bin/env bash
# Make a real VS Code (code-server) and a real browser available to the editor tests.
#
# Idempotent: a finished build is kept per version under $SHIFTLENS_E2E_CACHE (default ~/.cache/shiftlens-e2e) and later
# runs return at once. Needs Node 20 and, for the system packages, a Debian-like machine and root.
# code-server's own post-install fetches a prebuilt ripgrep from a release server; everything here comes from npm and apt
# instead, so the native modules are compiled on the spot.
set -euo pipefail

CODE_SERVER_VERSION="${CODE_SERVER_VERSION:-4.100.0}"
CACHE="${SHIFTLENS_E2E_CACHE:-$HOME/.cache/shiftlens-e2e}"
NODE_ABI="$(node -p process.versions.modules)"
ROOT="$CACHE/code-server-$CODE_SERVER_VERSION-node$NODE_ABI"
# Node's own headers, where they came with it; else node-gyp fetches them.
NODE_PREFIX="$(dirname "$(dirname "$(node -p process.execPath)")")"
HEADERS=()
[ -f "$NODE_PREFIX/include/node/node.h" ] && HEADERS=("--nodedir=$NODE_PREFIX")
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

say() { printf '[e2e setup] %s\n' "$*" >&2; }

install_system_packages() {
    local missing=()
    command -v chromium >/dev/null || missing+=(chromium)
    command -v rg >/dev/null || missing+=(ripgrep)
    command -v make >/dev/null && command -v g++ >/dev/null || missing+=(build-essential)
    command -v python3 >/dev/null || missing+=(python3)
    command -v pkg-config >/dev/null || missing+=(pkg-config)
    pkg-config --exists krb5-gssapi 2>/dev/null || missing+=(libkrb5-dev)
    pkg-config --exists libsecret-1 2>/dev/null || missing+=(libsecret-1-dev)
    fc-list 2>/dev/null | grep -qi dejavu || missing+=(fontconfig fonts-dejavu-core)
    if [ "${#missing[@]}" -gt 0 ]; then
        say "installing ${missing[*]}"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    fi
}

rebuild() { # folder, further node-gyp arguments
    local folder="$1"
    shift
    say "compiling $(basename "$folder")"
    (cd "$folder" && npx --yes node-gyp@11 rebuild "${HEADERS[@]}" "$@" >"$ROOT.log" 2>&1) || {
        tail -n 40 "$ROOT.log" >&2
        exit 1
    }
}

build_code_server() {
    local work="$ROOT.partial"
    rm -rf "$work"
    mkdir -p "$work"
    say "fetching code-server $CODE_SERVER_VERSION"
    printf '{"private":true}\n' >"$work/package.json"
    npm install --prefix "$work" --ignore-scripts --no-audit --no-fund --silent "code-server@$CODE_SERVER_VERSION"

    local vscode="$work/node_modules/code-server/lib/vscode"
    say "fetching the parts of VS Code"
    (cd "$vscode" && npm install --ignore-scripts --omit=dev --no-audit --no-fund --silent)
    ln -sfn node_modules "$vscode/node_modules.asar"

    local module
    for module in @vscode/spdlog native-watchdog node-pty @parcel/watcher kerberos; do
        rebuild "$vscode/node_modules/$module"
    done
    mkdir -p "$vscode/node_modules/@vscode/ripgrep/bin"
    ln -sfn "$(command -v rg)" "$vscode/node_modules/@vscode/ripgrep/bin/rg"

    local argon2="$work/node_modules/argon2"
    [ -d "$argon2" ] || argon2="$work/node_modules/code-server/node_modules/argon2"
    rebuild "$argon2" --module_name=argon2 --module_path=./lib/binding/napi-v3 --napi_build_version=3
    mkdir -p "$argon2/lib/binding/napi-v3"
    cp "$argon2/build/Release/argon2.node" "$argon2/lib/binding/napi-v3/"

    node "$work/node_modules/code-server/out/node/entry.js" --version >/dev/null
    rm -rf "$ROOT"
    mv "$work" "$ROOT"
}

install_system_packages
mkdir -p "$CACHE"
if [ -d "$ROOT" ]; then
    say "code-server $CODE_SERVER_VERSION is in $ROOT"
else
    build_code_server
    say "built $ROOT"
fi
if [ -f "$HERE/package-lock.json" ] && [ ! -d "$HERE/node_modules/playwright-core" ]; then
    say "fetching the driver"
    npm ci --prefix "$HERE" --no-audit --no-fund --silent
fi
printf '%s\n' "$ROOT"
