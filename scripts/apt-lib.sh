# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Download Debian packages without installing them, with lists, cache and sources of
# our own. To be sourced after lib.sh.

KEYRINGS=(/usr/share/keyrings/debian-archive-keyring.{pgp,gpg})

# The folder, options and suites that use_apt() sets.
APT_ROOT=
APT_OPTIONS=()
APT_SUITES=()

# use_apt FOLDER ARCHITECTURE SUITE...: for the functions below. Debian's name of the
# ARCHITECTURE, or nothing for that of this machine.
use_apt() {
	APT_ROOT=$CACHE/$1
	APT_OPTIONS=()
	[[ -z $2 ]] || APT_OPTIONS=(-o APT::Architecture="$2" -o APT::Architectures::="$2")
	APT_SUITES=("${@:3}")
}

# apt_sites: where this machine gets Debian from, one a line.
apt_sites() {
	# shellcheck disable=SC2016
	{
		apt-get indextargets --format '$(ORIGIN) $(SITE)' 'Created-By: Packages' |
			sed -n 's/^Debian //p'
		# A machine that never ran "apt-get update" has no targets yet.
		apt-get --print-uris update |
			sed -n "s,^'\(.*\)/dists/.*/InRelease'.*,\1,p"
	} 2>/dev/null | grep -v -e -security | awk '!seen[$0]++'
}

# private_apt TOOL ARGUMENTS...
private_apt() {
	local tool=$1
	shift

	"$tool" -q -o Dir::Etc::SourceList="$APT_ROOT/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$APT_ROOT/lists" \
		-o Dir::Cache="$APT_ROOT/cache" \
		-o APT::Sandbox::User=root \
		-o APT::Get::AllowUnauthenticated=false \
		-o Acquire::AllowInsecureRepositories=false \
		-o Acquire::AllowWeakRepositories=false \
		-o Acquire::Languages=none \
		-o Acquire::Retries=3 \
		"${APT_OPTIONS[@]}" "$@"
}

write_sources() {
	local site=$1 keyring options='' suite

	for keyring in "${KEYRINGS[@]}"; do
		[[ -r $keyring ]] || continue
		options="[signed-by=$keyring] "
		break
	done
	mkdir -p "$APT_ROOT"/{lists,cache/archives}/partial
	for suite in "${APT_SUITES[@]}"; do
		printf 'deb %s%s %s main\n' "$options" "$site" "$suite"
	done >"$APT_ROOT/sources.list"
}

# offered_versions PACKAGE: those of all suites, the newest last.
offered_versions() {
	private_apt apt-cache madison "$1" | awk '{ print $3 }' | sort -uV
}

# newest_version PACKAGE: fails if there is none.
newest_version() {
	offered_versions "$1" | tail -n 1 | grep .
}

# Apt refuses unsigned lists. Ask it once more whether it trusts the suites, and
# compare the file with the signed index ourselves.
check_signed() {
	local package=$1 version=$2 deb=$3 trusted sum

	# shellcheck disable=SC2016
	trusted=$(private_apt apt-get indextargets --format '$(TRUSTED)' | sort -u)
	[[ $trusted == yes ]] || die "the package lists in $APT_ROOT are not signed by a key of this machine"
	sum=$(private_apt apt-cache show "$package=$version" | awk '/^SHA256:/ { print $2; exit }')
	sha256sum --check --quiet <<<"$sum  $deb" ||
		die "$deb is not the file that the signed index names"
}

# find_version PACKAGE CHOOSE: print the version that CHOOSE PACKAGE prints, of the first
# site of this machine that has one.
find_version() {
	local site

	for site in $(apt_sites); do
		write_sources "$site"
		# A suite may be missing on a mirror: the others will do.
		private_apt apt-get update >&2 || true
		"$2" "$1" && return
	done
	return 1
}

# download PACKAGE VERSION DEB: write DEB, and DEB.version.
download() {
	local package=$1 version=$2 deb=$3

	rm -rf "$deb.tmp"
	mkdir -p "$deb.tmp"
	(cd "$deb.tmp" && private_apt apt-get download "$package=$version")
	check_signed "$package" "$version" "$(echo "$deb.tmp"/*.deb)"
	printf '%s\n' "$version" >"$deb.version"
	mv "$deb.tmp"/*.deb "$deb"
	rmdir "$deb.tmp"
}
