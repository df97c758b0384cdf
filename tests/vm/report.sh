#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Summarize a live update. Exits with 1 if it failed.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} FOLDER FUNCTIONS

	FOLDER has the logs of vm_boot() for the scenario "update", and FUNCTIONS is the
	number of functions to preserve.
	END
}

# guest_value SIDE KEY: the last value that the guest sent with "data KEY".
guest_value() {
	sed -n "s/^[^ ]* data $2 //p" "$1" | tail -n 1
}

# phases SIDE
phases() {
	awk '
	function phase(name) {
		if (last != "")
			printf "  %-35s %6.1f s\n", last, $1 - since
		last = name
		since = $1
	}
	$2 == "start" { phase("start QEMU, boot the running kernel") }
	$2 == "phase" && $3 == "bind" { phase("bind, start devices") }
	$2 == "phase" && $3 == "preserve" { phase("preserve") }
	$2 == "phase" && $3 == "load" { phase("load the next kernel") }
	$2 == "phase" && $3 == "kexec" { phase("kexec, boot the next kernel") }
	$2 == "phase" && $3 == "check" { phase("check each function") }
	$2 == "phase" && $3 == "finish" { phase("bind, retrieve, finish") }
	$2 == "end" && $3 == "second" { phase("") }
	' "$1"
}

# hierarchy SIDE: the preserved devices as a tree, with the functions of a slot in one
# line. A bus is SEGMENT:BUS.
hierarchy() {
	awk '
	$2 == "data" && $3 == "record" && $4 == "incoming" {
		kind[$5] = $7; id[$5] = $6; state[$5] = $8; order[++n] = $5
	}
	$2 == "data" && $3 == "bridge" && $4 == "incoming" {
		below[$5] = sprintf("%s:%02x", segment($5), $6)
	}
	function segment(address) { sub(/:.*/, "", address); return address }
	function bus(address) { sub(/:[^:]*$/, "", address); return address }
	function slot(address) { return substr(address, 1, length(address) - 2) }
	function show(which, indent,   i, address, many, edus) {
		for (i = 1; i <= n; i++) {
			address = order[i]
			if (bus(address) != which)
				continue
			if (kind[address] == "bridge") {
				printf "%s%s  [%s] bridge to bus %s\n", indent,
					address, id[address], substr(below[address], length(segment(address)) + 2)
				show(below[address], indent "   ")
				continue
			}
			many = edus = nvmes = 0
			for (; i <= n && slot(order[i]) == slot(address); i++) {
				many += state[order[i]] == "present"
				edus += id[order[i]] == "1234:11e8"
				nvmes += id[order[i]] == "1b36:0010"
			}
			i--
			printf "%s%s  %d preserved", indent,
				slot(address) (many > 1 ? ".0-" many - 1 : ".0"), many
			kinds = edus ? edus " edu" : ""
			if (nvmes)
				kinds = kinds (edus ? ", " : "") nvmes " nvme"
			print kinds ? " (" kinds ")" : ""
		}
	}
	END {
		for (i = 1; i <= n; i++)
			if (!(segment(order[i]) in shown)) {
				shown[segment(order[i])]
				show(segment(order[i]) ":00", "  ")
			}
	}
	' "$1"
}

main() {
	local dir=${1:-} functions=${2:-} side ok bad found dma verdict=PASS
	local -a edus nvmes

	[[ $# == 2 ]] || { usage; exit 1; }
	init "$@"
	side=$dir/side
	ok=$(grep -c '^[^ ]* ok ' "$side" || true)
	bad=$(grep -c '^[^ ]* not ok ' "$side" || true)
	found=$(guest_value "$side" found)
	read -r -a edus <<<"$(guest_value "$side" edus)"
	edus[0]=${edus[0]:-0}
	edus[1]=${edus[1]:-0}
	read -r -a nvmes <<<"$(guest_value "$side" nvmes)"
	nvmes[0]=${nvmes[0]:-0}
	nvmes[1]=${nvmes[1]:-0}
	dma=$(guest_value "$side" dma)

	printf '\nPCI live update: Linux %s to %s\n\n' \
		"$(guest_value "$side" 'release first')" \
		"$(guest_value "$side" 'release second')"
	phases "$side"
	printf '\nPreserved in the next kernel, before any driver was bound:\n\n'
	hierarchy "$side"
	printf '\n  functions preserved      %s of %s\n' "${found:-0}" "$functions"
	printf '  edu registers kept       %s of %s\n' "${edus[1]}" "${edus[0]}"
	printf '  nvme controllers running %s of %s\n' "${nvmes[1]}" "${nvmes[0]}"
	printf '  DMA during the kexec     %s\n' "${dma:-unknown}"
	printf '  checks in the guest      %d of %d\n' "$ok" $((ok + bad))
	grep ' not ok \| data failed ' "$side" | sed 's/^[^ ]* /    /' || true

	if "$ROOT/tests/vm/scan-console.sh" "$dir/console" >"$dir/scan"; then
		printf '  console                  clean\n'
	else
		printf '  console                  %s reports\n' "$(wc -l <"$dir/scan")"
		sed 's/^/    /' "$dir/scan"
		verdict=FAIL
	fi
	if [[ $found != "$functions" || ${edus[0]} != "${edus[1]}" ||
		${nvmes[0]} != "${nvmes[1]}" || $dma != arrived || $bad != 0 ]] ||
		! grep -q ' end second$' "$side"; then
		verdict=FAIL
	fi
	printf '\n%s: %s of %s functions are preserved and finished. Logs: %s\n' \
		"$verdict" "${found:-0}" "$functions" "$dir"
	[[ $verdict == PASS ]]
}

main "$@"
