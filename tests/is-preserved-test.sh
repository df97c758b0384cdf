#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Test is-preserved.sh with functions that are wrong, each in another way.

set -euo pipefail

HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
DIR=$(mktemp -d)
trap 'rm -rf -- "$DIR"' EXIT
FAILED=0

# try WANT NAME BODY: what the check makes of a function with that body.
try() {
	local want=$1 name=$2 body=$3 rc=0

	gcc -O2 -fcf-protection=branch -c -o "$DIR/object.o" -x c - <<-END
	struct dev { char other[2048]; unsigned long flags; };
	extern int other(struct dev *dev);
	static __attribute__((noinline, noclone)) int near(struct dev *dev)
	{
		return *(volatile char *)dev->other;
	}
	_Bool is_preserved(struct dev *dev) { $body }
	int user(struct dev *dev) { return near(dev); }
	END
	FUNCTION=is_preserved "$HERE/is-preserved.sh" "$DIR/object.o" >"$DIR/said" || rc=$?
	if [[ $rc != "$want" ]]; then
		echo "$name: exit status $rc, expected $want:"
		cat "$DIR/said"
		FAILED=1
	fi
}

try 0 "a look at a bit" 'return dev->flags >> 9 & 1;'
try 0 "a look at the sign" 'return (volatile long)dev->flags < 0;'
try 1 "a call" 'return other(dev) && dev->flags >> 9 & 1;'
try 1 "a call at the end" 'if (dev->flags & 2) return 1; return other(dev);'
try 1 "a call of a static function" 'return near(dev) && dev->flags >> 9 & 1;'
try 1 "an atomic operation" 'return __sync_fetch_and_and(&dev->flags, ~2UL) >> 9 & 1;'
try 1 "an exchange" 'return __atomic_exchange_n(&dev->flags, 0, __ATOMIC_RELAXED) & 1;'
try 1 "a barrier" '__sync_synchronize(); return dev->flags >> 9 & 1;'
try 1 "a store" 'dev->flags |= 2; return dev->flags >> 9 & 1;'
try 1 "a look at a global variable" 'extern _Bool enabled; return enabled && dev->flags >> 9 & 1;'
try 2 "no look at the device" 'return 1;'

# A function that is not there is not a good one.
FUNCTION=nobody "$HERE/is-preserved.sh" "$DIR/object.o" >/dev/null && FAILED=1
exit "$FAILED"
