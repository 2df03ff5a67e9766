#!/usr/bin/env bash
# Writes the tables of the single-byte code pages that DOS and Windows used for short names, from what iconv (glibc) has:
#   scripts/code-pages.sh > src/core/filesystem/fat/code-page-tables.ts
set -euo pipefail
export LC_ALL=C.UTF-8
pages=(437 720 737 775 850 852 855 857 858 860 861 862 863 864 865 866 869 874 1250 1251 1252 1253 1254 1255 1256 1257 1258)
echo "/** Bytes 0x80 to 0xFF of each single-byte code page, U+FFFD for one that it does not have: scripts/code-pages.sh. */"
echo "export const SINGLE_BYTE_PAGES: Readonly<Record<string, string>> = {"
for page in "${pages[@]}"; do
  python3 - "$page" <<'PY'
import subprocess, sys
page = sys.argv[1]
def decode(byte):
    # glibc does not know the Arabic page 720; Python does.
    if page == '720': return ord(bytes([byte]).decode('cp720', 'replace'))
    run = subprocess.run(['iconv', '-f', f'CP{page}', '-t', 'UTF-32LE'], input=bytes([byte]), capture_output=True)
    return int.from_bytes(run.stdout[:4], 'little') if run.returncode == 0 and len(run.stdout) == 4 else 0xfffd
text = ''
for byte in range(128, 256):
    code = decode(byte)
    # What no editor shows, or what would reorder the line, is written as an escape.
    plain = 0xa1 <= code < 0x590 and code != 0xad and not 0x300 <= code < 0x370 or 0x2010 <= code < 0x2028 and code > 0x200f or 0x2030 <= code < 0x2060 or 0x20a0 <= code < 0x2600 or 0xe01 <= code <= 0xe30
    text += chr(code) if plain else f'\\u{code:04x}'
print(f"  '{page}':\n    '{text}',")
PY
done
echo "};"
