#!/usr/bin/env bash
# Fetches the source of the e2fsprogs that is installed, for the damaged images of its own tests, and prints the folder they are in:
#   E2FSPROGS_TESTS=$(bash scripts/fetch-e2fsprogs-tests.sh FOLDER) npm test
# Debian only, with lists of its own: those of the machine stay as they are. Fails, with a line on standard error, when it cannot.
set -euo pipefail
folder=$1
mkdir -p "$folder/lists/partial" "$folder/archives/partial"
. /etc/os-release
version=$(dpkg-query -W -f '${source:Version}' e2fsprogs)
echo "deb-src http://deb.debian.org/debian ${VERSION_CODENAME:?} main" > "$folder/sources.list"
apt=(apt-get -q -o "Dir::Etc::SourceList=$folder/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$folder/lists"
  -o "Dir::Cache::Archives=$folder/archives" -o APT::Get::List-Cleanup=0 -o APT::Sandbox::User=root)
cd "$folder"
timeout 25 "${apt[@]}" update >&2
timeout 25 "${apt[@]}" source --download-only "e2fsprogs=$version" >&2
tar -xf e2fsprogs_*.orig.tar.?z --wildcards '*/tests/*/image.gz'
ls -d "$folder"/*/tests
