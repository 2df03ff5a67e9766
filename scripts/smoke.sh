#!/usr/bin/env bash
# The README's first minutes, on the bundled image, through the launcher with whatever Node.js the machine has.
set -euo pipefail
cd "$(dirname "$0")/.."
image=fixtures/demo/demo.qcow2
run() { node bin/sectorscope.js "$@"; }
same() { [ "$1" = "$2" ] || { echo "smoke: expected '$2', found '$1'" >&2; exit 1; }; }

before=$(stat -c '%s %Y %Z' "$image"; sha256sum "$image")
same "$(run cat "$image" p2:/etc/hostname)" demo
same "$(run hash "$image" | cut -d' ' -f1)" "$(node -p "require('./fixtures/demo/demo.json').sha256")"
same "$(run ls "$image" p1:/EFI | tr '\n' ' ')" 'BOOT/ debian/ '
same "$(run cat - p2:/etc/hostname < "$image")" demo
same "$(stat -c '%s %Y %Z' "$image"; sha256sum "$image")" "$before"
echo "smoke: all as the README says"
