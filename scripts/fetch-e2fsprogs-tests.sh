#!/usr/bin/env bash
# Fetches the source of the e2fsprogs that is installed, for the damaged images of its own tests, and prints the folder they are in:
#   E2FSPROGS_TESTS=$(bash scripts/fetch-e2fsprogs-tests.sh FOLDER) npm test
# Debian only, from where the machine has its packages, with lists of its own: the machine's stay as they are. Fails, with a line
# on standard error, when it cannot.
set -euo pipefail
folder=$1
mkdir -p "$folder/lists/partial" "$folder/archives/partial"
version=$(dpkg-query -W -f '${source:Version}' e2fsprogs)
# Both forms that apt knows: lines in sources.list, paragraphs in debian.sources.
[ -f /etc/apt/sources.list ] && sed -n 's/^deb /deb-src /p' /etc/apt/sources.list > "$folder/machine.list"
[ -f /etc/apt/sources.list.d/debian.sources ] &&
  sed 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/debian.sources > "$folder/machine.sources"
apt=(apt-get -q -o Dir::Etc::SourceList=- -o "Dir::Etc::SourceParts=$folder" -o "Dir::State::Lists=$folder/lists"
  -o "Dir::Cache::Archives=$folder/archives" -o APT::Get::List-Cleanup=0 -o APT::Sandbox::User=root)
cd "$folder"
timeout 25 "${apt[@]}" update >&2
timeout 25 "${apt[@]}" source --download-only "e2fsprogs=$version" >&2
tar -xf e2fsprogs_*.orig.tar.?z --wildcards '*/tests/*/image.gz'
ls -d "$folder"/*/tests
