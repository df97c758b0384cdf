#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Summarize a live update. Exits with 1 if it failed.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} FOLDER FUNCTIONS VFS

	FOLDER has the logs of vm_boot() for the scenario "update". FUNCTIONS and VFS are
	the numbers of functions and of VFs to preserve.
	END
}

# guest_value SIDE KEY: the last value that the guest sent with "data KEY".
guest_value() {
	sed -n "s/^[^ ]* data $2 //p" "$1" | tail -n 1
}

# vf_controllers SIDE: the number of VFs whose controllers have the same registers in
# both kernels.
vf_controllers() {
	awk '
	$2 == "data" && $3 == "registers" {
		which = $4
		$1 = $4 = ""
		if (which == "first")
			before[$0]
		else if ($0 in before)
			n++
	}
	END { print n + 0 }
	' "$1"
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

# hierarchy SIDE: the preserved devices as a tree, with the functions of a slot and the
# VFs of a PF in one line. A bus is SEGMENT:BUS.
hierarchy() {
	awk '
	$2 == "data" && $3 == "record" && $4 == "incoming" {
		kind[$5] = $7; id[$5] = $6; state[$5] = $8; order[++n] = $5
	}
	$2 == "data" && $3 == "bridge" && $4 == "incoming" {
		below[$5] = sprintf("%s:%02x", segment($5), $6)
	}
	$2 == "data" && $3 == "pf" { vfs[$4] = $5 }
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
			if (kind[address] ~ /pf$/) {
				for (many = 0; kind[order[i + 1]] == "vf"; i++)
					many += state[order[i + 1]] == "present"
				printf "%s%s  PF, %d of %d VFs preserved\n", indent,
					address, many, vfs[address]
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
	local dir=${1:-} functions=${2:-} vfs=${3:-} side ok bad found found_vfs dma vf_read verdict=PASS
	local -a edus nvmes

	[[ $# == 3 ]] || { usage; exit 1; }
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
	found_vfs=$(guest_value "$side" found_vfs)
	vf_read=$(guest_value "$side" vf_read)

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
	if ((vfs)); then
		printf '  VFs preserved            %s of %s\n' "${found_vfs:-0}" "$vfs"
		printf '  VF controllers running   %s of %s\n' "$(vf_controllers "$side")" "$vfs"
		printf '  read in flight on a VF   %s\n' "${vf_read:-unknown}"
	fi
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
	if ((vfs)) && [[ $found_vfs != "$vfs" || $vf_read != completed ||
		$(vf_controllers "$side") != "$vfs" ]]; then
		verdict=FAIL
	fi
	printf '\n%s: %s of %s functions%s are preserved and finished. Logs: %s\n' \
		"$verdict" "${found:-0}" "$functions" \
		"$( ((!vfs)) || printf ' and %s of %s VFs' "${found_vfs:-0}" "$vfs")" "$dir"
	[[ $verdict == PASS ]]
}

main "$@"
