#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A machine is run once more if QEMU crashed, and is not if it failed or crashed again.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
# shellcheck source=tests/vm/vm.sh
. "$ROOT/tests/vm/vm.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} FOLDER

	Runs machines in FOLDER, which is emptied first. QEMU is a script that crashes.
	END
}

# fake_qemu: it takes the first line of $FOLDER/plan, "crash" or the status to exit with.
fake_qemu() {
	cat <<-END
	#!/bin/bash
	read -r word <'$FOLDER/plan'
	sed -i 1d '$FOLDER/plan'
	for option; do
		[[ \$option != file:* ]] || echo "the console of \$word" >"\${option#file:}"
	done
	[[ \$word != crash ]] || kill -SEGV \$\$
	exit "\$word"
	END
}

# expect PLAN STATUS LEFT NOTES: a machine ends with STATUS, leaves that many words
# of PLAN, and prints so many notes.
expect() {
	local rc=0 left notes

	tr ' ' '\n' <<<"$1" >"$FOLDER/plan"
	vm_boot "$FOLDER/machine" kernel "" "" 20 "" >"$FOLDER/output" || rc=$?
	left=$(wc -l <"$FOLDER/plan")
	notes=$(grep -c '^NOTE ' "$FOLDER/output") || true
	[[ "$rc $left $notes" == "$2 $3 $4" ]] && return
	echo "QEMU did $1: found status, runs that were left, notes $rc $left $notes, expected $2 $3 $4"
	BAD=1
}

main() {
	BAD=0
	FOLDER=${1:-}
	[[ $FOLDER && $FOLDER != -* ]] || { usage; [[ $FOLDER == -* ]]; exit; }
	rm -rf -- "$FOLDER"
	mkdir -p "$FOLDER"
	FOLDER=$(realpath -- "$FOLDER")
	QEMU=$FOLDER/qemu
	fake_qemu >"$QEMU"
	chmod +x "$QEMU"

	expect '0 0' 0 1 0
	expect '1 0' 1 1 0
	expect 'crash 0 0' 0 1 1
	grep -qx 'the console of crash' "$FOLDER/machine/console.crashed" ||
		{ echo "the console of the crash is lost"; BAD=1; }
	grep -qx 'the console of 0' "$FOLDER/machine/console" ||
		{ echo "the console of the second run is lost"; BAD=1; }
	expect 'crash crash 0' 139 1 1
	expect 'crash 1 0' 1 1 1
	return "$BAD"
}

main "$@"
