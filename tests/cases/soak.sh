# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Live updates in a row in one machine. tests/soak.sh runs more of them.

# The seed of the choices in the suite.
SOAK_SEED=1

soak_tests() {
	run soak soak_test 7.2-base 7.3-base 5 "$SOAK_SEED"
}

# A live update takes 15 s. A guest that says nothing for a while hangs.
SOAK_SECONDS=120
SOAK_SILENT_SECONDS=180

# The images of both kernels, each in a half of the memory of a device. A kexec checks and
# unpacks the initrd: it takes twice as long with the images in there.
SOAK_IMAGES=
SOAK_IMAGES_SIZE=$((32 << 20))

# soak_test DIR FROM TO ROUNDS SEED: the kernels take turns. Prints tables.
soak_test() {
	local dir=$1 from=$2 to=$3 rounds=$4 seed=$5 kernel next status=0
	local -a judge=()

	kernel=$(build_kernel "$from") || return
	next=$(build_kernel "$to") || return
	SOAK_IMAGES=$dir/images
	cp -- "$next" "$SOAK_IMAGES"
	truncate -s $((SOAK_IMAGES_SIZE / 2)) "$SOAK_IMAGES"
	cat -- "$kernel" >>"$SOAK_IMAGES"
	truncate -s "$SOAK_IMAGES_SIZE" "$SOAK_IMAGES"
	boot_kernels "$dir" "$from" "$to" 25 soak --no-next --qemu=soak_devices \
		"--seconds=$((300 + SOAK_SECONDS * rounds))" "--silent=$SOAK_SILENT_SECONDS" \
		"rounds=$rounds" "seed=$seed" vfs=8 \
		"images=0,$(stat -c %s "$next"),$((SOAK_IMAGES_SIZE / 2)),$(stat -c %s "$kernel")" \
		vfio.enable_unsafe_noiommu_mode=1 pci-stub.ids=1234:11e8,1b36:0010,1b36:0011 ||
		status=$?
	[[ $DEBUG != 1 ]] || judge+=(--debug)
	python3 "$ROOT/tests/cases/soak.py" "$dir" "$rounds" "${judge[@]}" || status=1
	((!status)) || printf 'repeat: make soak ROUNDS=%s SEED=%s FROM=%s TO=%s\n' \
		"$rounds" "$seed" "${from%-*}" "${to%-*}"
	return "$status"
}

# The devices of two slots can be unplugged. The guest has the driver of PCIe ports for it,
# and none for the ACPI of a PC.
soak_devices() {
	[[ $ARCH != x86_64 ]] ||
		printf '%s\n' -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off
	vm_nvme_pf 1 8
	vm_root_port rp10 10
	vm_root_port rp11 11
	printf '%s\n' -object \
		"memory-backend-file,id=images,mem-path=$SOAK_IMAGES,size=$SOAK_IMAGES_SIZE,share=on"
	vm_device ivshmem-plain,bus=pcie.0,addr=1c.0,memdev=images
	vm_device nvme,id=plug10,serial=plug10,bus=rp10 edu,id=plug11,bus=rp11
}
