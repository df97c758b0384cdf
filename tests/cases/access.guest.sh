# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# shellcheck disable=SC2086,SC2046 # lists of addresses are meant to be split
#
# Root without capabilities and an ordinary user try each file by which functions are
# preserved. The record stays as it is, whether a process is refused or not.

stub_function() {
	edus_below_bridges
}

vfio_function() {
	nvmes_below_bridges
}

# attempt OPERATION FILE: print "yes", or the text of the errno. The file is only opened
# for a write.
attempt() {
	local error

	case $1 in
	read) error=$(head -c 1 "$2" 2>&1 >/dev/null) ;;
	write) error=$( (: >>"$2") 2>&1) ;;
	open) error=$( (: <"$2") 2>&1) ;;
	esac
	case $error in
	'') echo yes ;;
	*) echo "${error##*: }" ;;
	esac
}

# attempts: lines "FILE OPERATION RESULT" for lines "FILE OPERATION".
attempts() {
	local file operation

	while read -r file operation; do
		echo "$file $operation $(attempt $operation $file)"
	done
}

DENIED='Permission denied'
# Without CAP_SYS_RAWIO
NOT_PERMITTED='Operation not permitted'

# table STUB VFIO OPEN: files, operations, and results for root without capabilities and
# for the user. OPEN is the one for root and a file of vfio-pci.
table() {
	local device=$PCI/devices vfio

	vfio=$(echo $device/$2/vfio-dev/*)
	cat <<-END
	/dev/liveupdate open yes|$DENIED
	/dev/pci-liveupdate/$1 open yes|$DENIED
	/dev/pci-liveupdate/$1 write yes|$DENIED
	/dev/vfio/devices/${vfio##*/} open $3|$DENIED
	$RECORD read yes|$DENIED
	$RECORD write $DENIED|$DENIED
	$device/$2/vfio_liveupdate read yes|yes
	$device/$2/vfio_liveupdate write yes|$DENIED
	$device/$1/config read yes|yes
	$device/$1/config write yes|$DENIED
	$device/$1/driver_override write yes|$DENIED
	$device/$1/enable write yes|$DENIED
	$device/$1/remove write yes|$DENIED
	$device/$1/resource0 open yes|$DENIED
	$device/$2/reset write yes|$DENIED
	$PCI/drivers/$STUB/bind write yes|$DENIED
	$PCI/drivers/$STUB/unbind write yes|$DENIED
	$PCI/drivers/$STUB/new_id write yes|$DENIED
	$PCI/rescan write yes|$DENIED
	$TRACING/events/pci_liveupdate/enable read yes|$DENIED
	$TRACING/events/pci_liveupdate/enable write yes|$DENIED
	$TRACING/trace read yes|$DENIED
	END
}

TRACING=/sys/kernel/tracing

# check_access SIDE OPEN: as the table says.
check_access() {
	local side=$1 rights before

	before=$(cat "$RECORD")
	table $(stub_function) $(vfio_function) "$2" >/tmp/table
	sed 's/|.*//;s/\( [a-z]*\) .*/\1/' /tmp/table | cut -d ' ' -f 1,2 >/tmp/files
	for rights in root user; do
		less-rights $rights sh -c '. /lib/guest.sh; . /scenarios/access.sh; attempts' \
			</tmp/files >/tmp/found 2>&1
		awk -v rights=$rights '{ split(substr($0, length($1 $2) + 3), may, "|");
			print $1, $2, rights == "root" ? may[1] : may[2] }' /tmp/table >/tmp/may
		sed "s/^/data access $side $rights /" /tmp/found >&3
		check "the $rights gets the results of the table, $side" diff /tmp/may /tmp/found
	done
	check_same "the record stays as it was, $side" "$(cat "$RECORD")" "$before"
}

# check_user SIDE COMMAND...: the tool is refused.
check_user() {
	local side=$1
	shift

	check "a user cannot $1, $side" not less-rights user pci-liveupdate "$@"
	less-rights user pci-liveupdate "$@" >/tmp/tool 2>&1
	check "the tool says why it cannot $1, $side" grep -q "$DENIED" /tmp/tool
	check_same "in one line" "$(wc -l </tmp/tool)" 1
}

first() {
	mount -t tracefs tracefs $TRACING
	bind $(stub_function)
	bind_to vfio-pci $(vfio_function)
	check_access unpreserved "$NOT_PERMITTED"
	check_user unpreserved preserve vm2 $(stub_function)
	check_user unpreserved list
	check "functions are preserved" preserve vm1 $(stub_function) $(vfio_function)
	check_access outgoing "$NOT_PERMITTED"
	load_next
	check "a user cannot begin the kexec" not less-rights user kexec -e
	check "root without capabilities cannot, either" not less-rights root kexec -e
	run_next
}

second() {
	mount -t tracefs tracefs $TRACING
	bind $(stub_function)
	bind_to vfio-pci $(vfio_function)
	check_access incoming 'Device or resource busy'
	check_user incoming finish vm1
	check "the session is finished" pci-liveupdate finish vm1
	check_same "nothing stays in the record" "$(records incoming)" ""
}
