# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# A shell on the console, for a person.

first() {
	echo "Devices below bridges can be bound with: bind \$(below_bridges)"
	echo "The next kernel is loaded with load_next and run with run_next."
	ENV=/lib/guest.sh setsid cttyhack sh
}

second() {
	first
}
