#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Look at the instructions of pci_liveupdate_incoming_is_preserved(): it is to be
# a look at a bit, without a call, a lock, an atomic instruction or a store.
# Prints each instruction that is not of that kind, and exits with 1 if there was
# one, 2 if there is nothing to look at.

set -euo pipefail

FUNCTION=${FUNCTION:-pci_liveupdate_incoming_is_preserved}

usage() {
	cat <<-END
	Usage: ${0##*/} OBJECT

	OBJECT is drivers/pci/liveupdate.o of a kernel that was built for x86-64.
	END
}

# An instruction a line, as objdump has it, with what it refers to at its end.
# objdump can be asked for one function only, and then shows relocations of others.
instructions() {
	objdump -dr --no-show-raw-insn "$1" | awk -v function_name="<$FUNCTION>:" '
	NF == 0 { inside = 0 }
	$2 == function_name { inside = 1; next }
	!inside { next }
	$2 ~ /^R_X86_64_/ { line = line " -> " $3; next }
	{ if (line != "") print line; $1 = ""; line = substr($0, 2) }
	END { if (line != "") print line }'
}

# What is known to be harmless, and no more: what kernels put at the begin and the
# end of each function, a load, and arithmetic in registers.
harmless() {
	awk '
	function ok() { good[NR] }
	{ text[NR] = $0; target = ""; name = $1 }
	match($0, / -> /) { target = substr($0, RSTART + 4) }
	# The last operand is what an instruction of AT&T syntax writes to.
	{ stores = $2 ~ /\)$/ && name !~ /^(nop|bt|test|cmp)/ }
	/^xchg %ax,%ax$/ { ok() }
	name ~ /^(endbr64|nop[wl]?|ret|cs|data16)$/ && target == "" { ok() }
	name == "call" && target ~ /^__fentry__-/ { ok() }
	name == "jmp" && target ~ /^__x86_return_thunk-/ { ok(); returns = 1 }
	name == "ret" { returns = 1 }
	name ~ /^(mov|movz|movzbl|movzwl|shr|sar|and|bt|test|xor|set[a-z]+|push|pop)[bwlq]?$/ &&
		target == "" && !stores { ok() }
	/0x[0-9a-f]+\(%rdi\)/ { looks = 1 }
	END {
		for (i = 1; i <= NR; i++)
			if (!(i in good)) {
				print "not harmless: " text[i]
				bad = 1
			}
		if (!NR) {
			print "there is no such function"
			exit 2
		}
		if (!bad && (!returns || !looks)) {
			print "it does not look at the device, or does not return"
			exit 2
		}
		exit bad
	}'
}

main() {
	[[ $# == 1 && $1 != -* ]] || { usage; [[ ${1:-} == -h || ${1:-} == --help ]]; exit; }
	command -v objdump >/dev/null || { echo "objdump is missing: install binutils"; exit 2; }
	[[ -f $1 ]] || { echo "$1: there is no such file"; exit 2; }
	instructions "$1" | harmless
}

main "$@"
