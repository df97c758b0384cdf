#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# prose.py must find clauses, or all prose would look good.
# shellcheck disable=SC2016 # the samples have backquotes

set -euo pipefail

PROSE=$(dirname -- "${BASH_SOURCE[0]}")/prose.py
SAMPLES=0

# expect LINES NAME TEXT: prose.py complains of these lines of a file NAME with TEXT.
expect() {
	local file line

	SAMPLES=$((SAMPLES + 1))
	file=$DIR/$SAMPLES-$2
	printf '%b\n' "$3" >"$file"
	for line in $1; do
		printf '%s:%s\n' "$file" "$line" >>"$DIR/expected"
	done
}

main() {
	DIR=$(mktemp -d)
	trap 'rm -rf -- "$DIR"' EXIT

	expect 1 a.c '/* What is in use stays. */'
	expect 3 a.c '/*\n * Release\n * what has the flag.\n */'
	expect 3 a.c '/*\n * Keep the size of that\n * which is gone. */'
	expect 1 a.c '// Whoever asks gets it.'
	expect 1 a.h '/* Of all that is below, nothing is kept. */'
	expect 1 a.h '/* Tell who has the lock. */'
	expect 2 a.c '/* LUO ignores FLBs that nobody retrieves. */\n/* That is for nobody. */'
	echo "$DIR/$SAMPLES-a.c FLBs that nobody retrieves" >"$DIR/allow"
	expect '' a.c 'call("/* what it is */"); int what; /* @what: Text behind the address. */'
	expect '' a.c '/* Callers who hold the lock. The device that is preserved. */'
	expect '' a.c '/* What is it? */'
	expect '' a.c '/* The message is "what it was", from `what is`. */'
	expect 2 a.sh 'what is\n# what it is'
	expect '' a.sh '#!/bin/what is'
	expect '1 3' a.py '"""Show who was there."""\nwhat = "what is"\nx = 1  # what it is'
	expect 1 a.rst 'It is what it was::\n\n  what is\n\nEnd.'
	expect 1 a.md 'It is what it was.\n```\nwhat is\n```'
	expect '3 8' a.patch 'Subject: x\n\nFor what is there.\n---\ndiff --git a/x.c b/x.c\n+++ b/x.c\n-/* what is */\n+/* what is */\n /* what is */'

	{ "$PROSE" --allow "$DIR/allow" "$DIR"/*-* || true; } | cut -d : -f 1,2 | sort >"$DIR/found"
	sort "$DIR/expected" | diff - "$DIR/found" && return
	echo "expected the lines on the left, and prose.py found those on the right"
	return 1
}

main "$@"
