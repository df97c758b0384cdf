#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build a kernel at each commit of the series, with the option on and off.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<-END
	Usage: ${0##*/} [7.2|7.3]...

	Builds the kernels of the versions given (7.3) at each commit of the series
	that export.sh writes, with CONFIG_PCI_LIVEUPDATE on and off, so that a
	bisection that ends in the middle of the series has something to boot.
	END
}

# contents: "COMMIT patch|file NAME" for what export.map puts into each commit.
contents() {
	awk '/^commit/ { n++ } $1 == "patch" || $1 == "file" { print n, $1, $2 }' \
		"$ROOT/scripts/export.map"
}

# add COMMIT: what belongs to it, to a project that has what is before it.
add() {
	local kind pattern file

	while read -r _ kind pattern; do
		if [[ $kind == patch ]]; then
			cp "$ROOT/patches/$pattern" "$part/patches/"
			grep "^$pattern\>" "$ROOT/patches/series" >>"$part/patches/series"
			continue
		fi
		for file in "${overlay[@]}"; do
			# shellcheck disable=SC2053 # a pattern is what it is
			[[ $file == $pattern ]] || continue
			install -D -m "$(stat -c %a "$ROOT/$file")" "$ROOT/$file" "$part/$file"
		done
	done < <(contents | grep "^$1 ")
}

# limit_configs: to the options that the commits so far have.
limit_configs() {
	local fragment

	sed -n 's/^+config /CONFIG_/p' "$part"/patches/*.patch | sort -u >"$part/options"
	for fragment in "$ROOT"/tests/configs/{pci-liveupdate,off}.config; do
		grep -F -w -f "$part/options" "$fragment" >"$part/tests/configs/${fragment##*/}" || true
	done
}

build() {
	"$part/scripts/build-kernel.sh" "$1" "$2" >/dev/null
}

check_series() {
	local version=$1 last=$2 commit config

	rm -rf "$part"
	mkdir -p "$part/patches" "${OVERLAY_DIRS[@]/#/$part/}"
	cp -r "$ROOT/scripts" "$ROOT/tests" "$part/"
	: >"$part/patches/series"
	for ((commit = 1; commit <= last; commit++)); do
		add "$commit"
		limit_configs
		for config in base off; do
			info "commit $commit of $last, $version-$config"
			build "$version" "$config"
		done
	done
}

main() {
	local version part last
	local -a overlay

	[[ ${1:-} != -* ]] || { usage; [[ $1 == -h || $1 == --help ]]; exit; }
	init "$@"
	(($#)) || set -- 7.3
	part=$CACHE/series
	lock series
	mapfile -d '' overlay < <(list_files "${OVERLAY_DIRS[@]}")
	last=$(contents | tail -n 1 | cut -d ' ' -f 1)
	for version; do
		check_version "$version"
		check_series "$version" "$last"
	done
	rm -rf "$part"
	info "each of the $last commits builds"
}

main "$@"
