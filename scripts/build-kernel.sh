#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Build a kernel of stock + overlay + patches and print the path of its image.

# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

CONFIGS=${CONFIGS:-$ROOT/tests/configs}

# The same source gives the same image, for each user and at any time.
FLAGS=(
	ARCH="$ARCH"
	CROSS_COMPILE="$CROSS_COMPILE"
	KBUILD_BUILD_TIMESTAMP="Thu Jan 1 00:00:00 UTC 1970"
	KBUILD_BUILD_USER=pci-liveupdate
	KBUILD_BUILD_HOST=localhost
	KBUILD_BUILD_VERSION=1
)
COMPILER=()

usage() {
	cat <<-END
	Usage: ${0##*/} 7.2|7.3 CONFIG [TREE]

	Prints the path of the kernel image. CONFIG is one of:
	  base     the kernel of the tests: tinyconfig, base.config, \$ARCH.config,
	           pci-liveupdate.config and pci-liveupdate-\$ARCH.config
	  NAME     the same and tests/configs/NAME.config (debug, off, ...)
	  stock    the stock kernel with tinyconfig, base.config and \$ARCH.config only
	TREE is a kernel tree to build instead of the one make-tree.sh makes.

	ARCH= and CROSS_COMPILE= are the kernel's (x86_64, or for arm64
	aarch64-linux-gnu-).
	END
}

# set_fragments: the files below tests/configs that make up the configuration.
set_fragments() {
	local file

	fragments=(base.config "$ARCH.config")
	if [[ $config != stock ]]; then
		fragments+=(pci-liveupdate.config)
		file=pci-liveupdate-$ARCH.config
		[[ ! -f $CONFIGS/$file ]] || fragments+=("$file")
	fi
	[[ $config == stock || $config == base ]] || fragments+=("$config.config")
	for file in "${fragments[@]}"; do
		[[ -f $CONFIGS/$file ]] ||
			die "there is no configuration '$config': tests/configs/$file is missing"
	done
}

image_path() {
	case $ARCH in
	x86_64) printf '%s\n' "$build/arch/x86/boot/bzImage" ;;
	*) printf '%s\n' "$build/arch/$ARCH/boot/Image" ;;
	esac
}

# set_compiler: with ccache if it is there. In depend mode it does not preprocess
# each file once more, which would cost a first build more than it ever gains.
set_compiler() {
	if have ccache; then
		export CCACHE_DEPEND=1
		COMPILER=(CC="ccache ${CROSS_COMPILE}gcc" HOSTCC="ccache gcc")
	fi
}

need_build_tools() {
	need_tools gcc:gcc make:make flex:flex bison:bison bc:bc rsync:rsync cpio:cpio \
		perl:perl libc6-dev:stdio.h libelf-dev:gelf.h libssl-dev:openssl/ssl.h
	need_compiler
}

# config_key: the configuration must be made again when this changes.
config_key() {
	{
		(cd -- "$CONFIGS" && sha256sum "${fragments[@]}")
		if [[ -f $state/managed ]]; then
			cd -- "$tree"
			{ grep Kconfig "$state/managed" || true; } | xargs -r sha256sum
		elif [[ ! -d $state ]]; then
			find "$tree" -name 'Kconfig*' -type f -print0 | sort -z | xargs -0 sha256sum
		fi
		cat "$state/stock" 2>/dev/null || true
		"${CROSS_COMPILE}gcc" --version 2>/dev/null | head -n 1 || true
		printf '%s\n' "$tree" "${FLAGS[@]}"
	} | sha256sum | cut -d ' ' -f 1
}

# The image depends on the tree and the configuration. A tree that make-tree.sh
# did not make may change at any time, so its image has no key.
build_key() {
	[[ -f $state/key ]] || return 0
	{ cat "$state/key"; config_key; } | sha256sum | cut -d ' ' -f 1
}

# wanted: "SYMBOL FILE VALUE" for each symbol, as the last file has it.
wanted() {
	(cd -- "$CONFIGS" && awk '
	/^CONFIG_/ { name = $0; sub(/=.*/, "", name); value = substr($0, length(name) + 2) }
	/^# CONFIG_.* is not set$/ { name = $2; value = "n" }
	name { want[name] = value; file[name] = FILENAME; name = "" }
	END { for (name in want) print name, file[name], want[name] }
	' "${fragments[@]}") | sort
}

# verify: a symbol whose dependencies are not met silently stays off.
verify() {
	local name file value got bad=0

	(cd -- "$tree" && grep -rhoE --include='Kconfig*' \
		'^[[:space:]]*(menu)?config[[:space:]]+[A-Za-z0-9_]+' . |
		awk '{ print "CONFIG_" $2 }' | sort -u) >"$build/.symbols"

	while read -r name file value; do
		got=$(sed -n "s/^$name=//p" "$build/.config")
		if ! grep -qx "$name" "$build/.symbols"; then
			echo "tests/configs/$file: Linux $version has no $name"
			bad=1
		elif [[ ${got:-n} != "$value" ]]; then
			echo "tests/configs/$file: $name=$value became ${got:-n}: is a dependency missing?"
			bad=1
		fi
	done < <(wanted)
	((!bad)) || die "the configuration '$config' lacks the options above"
}

configure() {
	rm -f "$build/.config.key"
	(cd -- "$CONFIGS" && cat "${fragments[@]}") >"$build/.fragments"
	kmake -C "$tree" O="$build" "${FLAGS[@]}" "${COMPILER[@]}" tinyconfig
	(cd -- "$build" && "$tree/scripts/kconfig/merge_config.sh" -m -Q -O "$build" \
		"$build/.config" "$build/.fragments")
	kmake -C "$tree" O="$build" "${FLAGS[@]}" "${COMPILER[@]}" olddefconfig
	verify
	config_key >"$build/.config.key"
}

compile() {
	local -a targets=("${image##*/}")

	! grep -qx CONFIG_MODULES=y "$build/.config" || targets+=(modules)
	kmake -C "$tree" O="$build" -j"$(nproc)" "${FLAGS[@]}" "${COMPILER[@]}" "${targets[@]}"
}

# seed: begin with the objects of the base configuration of the same tree. kbuild
# compiles those again that differ.
seed() {
	local base=${build/"/$version-$config"/"/$version-base"}

	need_space 3 "building Linux $version"
	if [[ $config != stock && $config != base && $ARCH == x86_64 ]]; then
		# Wait if it is being built.
		lock "build-${base##*/}" shared
		if [[ -f $base/.key ]]; then
			copy_build "$base" "$build"
			rm -f "$build"/{.key,.config.key}
		fi
		unlock "build-${base##*/}"
	fi
	mkdir -p "$build"
}

build_image() {
	need_build_tools
	set_compiler
	[[ -d $build ]] || seed
	rm -f "$build/.key"
	if [[ ! -f $build/.config.key || $(<"$build/.config.key") != "$(config_key)" ]]; then
		step "configure ${build##*/}" configure
	fi
	# Two builds at once would only take turns on the processors.
	lock compile
	step "build ${build##*/}" compile
	build_key >"$build/.key"
}

up_to_date() {
	[[ -f $image && -s $build/.key && $(<"$build/.key") == "$(build_key)" ]]
}

# find_tree [TREE]: sets the tree to build, and the folder with its state.
find_tree() {
	if [[ ${1:-} ]]; then
		tree=$(cd -- "$1" && pwd) || die "there is no folder $1"
	elif [[ $config == stock ]]; then
		tree=$("$ROOT/scripts/fetch-kernel.sh" "$version")
	else
		tree=$("$ROOT/scripts/make-tree.sh" "$version")
		state=$tree.state
		lock "tree-${tree##*/}" shared
	fi

	build=$CACHE/build/$version-$config
	[[ $ARCH == x86_64 ]] || build+=-$ARCH
	case $tree in
	"$CACHE/tree/$version") ;;
	"$CACHE/src/$version/linux")
		# It never changes: its release stands for its content.
		state=$CACHE/src/$version.state
		mkdir -p "$state"
		cp "${tree%/linux}/VERSION" "$state/key"
		;;
	*) build+=-$(sha256sum <<<"$tree" | cut -c 1-8) ;;
	esac
}

main() {
	local version=${1:-} config=${2:-} tree state=/nonexistent build image
	local -a fragments

	[[ $# -ge 2 && $# -le 3 && $1 != -* ]] || { usage; [[ ${1:-} == -h || ${1:-} == --help ]]; exit; }
	init "$@"
	check_version "$version"
	set_fragments
	find_tree "${3:-}"
	image=$(image_path)
	if ! up_to_date; then
		lock "build-${build##*/}"
		up_to_date || build_image
	fi
	printf '%s\n' "$image"
}

main "$@"
