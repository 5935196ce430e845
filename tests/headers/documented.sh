#!/bin/sh
# Every SAL_API declaration of the public headers has a comment above it; declarations in one block without a
# blank line between them may share one.
set -eu
cd "$(dirname "$0")/../../include/salience"
awk '
    FNR == 1 { covered = 0 }
    /^[ \t]*$/ { covered = 0 }
    /\*\/[ \t]*$/ { covered = 1 }
    /^SAL_API/ {
        total++
        if (!covered) { printf "%s:%d: undocumented: %s\n", FILENAME, FNR, $0; bad++ }
    }
    END { printf "%d functions, %d undocumented\n", total, bad; exit bad > 0 }
' *.h
