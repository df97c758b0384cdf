// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO PCI: preserve files of devices across a live update.
 */

/**
 * DOC: VFIO PCI live update
 *
 * User space opens the device node of a vfio-pci device in /dev/vfio/devices, binds
 * the file to an iommufd, and preserves it in a session of /dev/liveupdate. In the
 * next kernel it binds vfio-pci to the function, retrieves the file, binds the file
 * to a new iommufd, and finishes the session. The file vfio_liveupdate of the PCI device
 * in sysfs has the mode of a device:
 *
 * running
 *   The function is not disturbed and its DMA goes on. This is the default of a
 *   device without an IOMMU, which has a device node noiommu-vfioN. Memory that the
 *   function uses must be in a memfd of the same session.
 *
 * reset
 *   The function is reset before the kexec and again when the file is bound in the
 *   next kernel. Only the file is preserved. User space selects this mode by writing
 *   "reset" to vfio_liveupdate.
 *
 * off
 *   The file cannot be preserved. This is the default of a device behind an IOMMU:
 *   the translation of its DMA does not survive the kexec.
 *
 * A function that runs must be in D0 without any interrupt enabled when the kexec
 * begins, or else the kexec fails. Disable interrupts at the last moment. Virtual
 * registers of the configuration space, the state to restore when the file is closed
 * and the VF token are handed over.
 *
 * Until it is finished nothing writes to a running function: the PCI core refuses to
 * write to it although vfio-pci is bound. Opening it neither resets nor enables it,
 * and resets, interrupts and writes to its configuration space fail with -EBUSY. So do
 * opens of its device node and its group.
 *
 * - vfio-pci must be bound to a function when its file is retrieved, or that fails
 *   with -EAGAIN, as it does if memory is lacking: it can be repeated.
 * - If a file cannot be frozen, the kexec fails and all devices go on: functions in
 *   reset mode are reset when every file is frozen.
 * - If the file of a running function cannot be retrieved, or is not bound when the
 *   session is finished, bus mastering of the function is cleared: its memory may be
 *   freed next. This includes a function that was removed through sysfs, and a PF that
 *   stays preserved for its VFs.
 * - If user space abandons the function, see pci_liveupdate_abandon(), the session can
 *   finish without its file.
 * - If the owner of a session dies, the session does not finish, and another process
 *   can retrieve it. A file that was bound already is returned as it is.
 *
 * Lock hierarchy: LUO's locks -> vfio_pci_liveupdate.lock -> vfio_device_set.lock ->
 * vfio_pci_core_device.igate.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#define dev_fmt(fmt) "liveupdate: " fmt

#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/pci_saved_state.h>
#include <linux/kho/abi/vfio_pci.h>
#include <linux/liveupdate.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/reboot.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/uuid.h>
#include <linux/vfio.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "vfio_pci_priv.h"

/**
 * struct vfio_pci_liveupdate - Live update state of a device bound to vfio-pci.
 * @vdev:      The device.
 * @lock:      Held for reading by operations that may write to the function.
 *             Protects &vfio_pci_core_device.frozen and &vfio_pci_core_device.kept,
 *             with the lock of the device set.
 * @requested: VFIO_PCI_SER_RESET if user space has selected it, or 0.
 * @outgoing:  Data for the next kernel, or NULL if the file is not preserved.
 * @incoming:  Data of the previous kernel from retrieve to finish, or NULL.
 * @removing:  vfio-pci is being unbound.
 *
 * The lock of the device set protects the members below @lock.
 */
struct vfio_pci_liveupdate {
	struct vfio_pci_core_device *vdev;
	struct rw_semaphore lock;
	u32 requested;
	struct vfio_pci_ser *outgoing;
	struct vfio_pci_ser *incoming;
	bool removing;
};

/* Devices bound to vfio-pci by their key, which is that of their PCI function. */
static DEFINE_MUTEX(vfio_pci_liveupdate_mutex);
static DEFINE_XARRAY(vfio_pci_liveupdate_devices);

/* The handler is registered. */
static bool vfio_pci_liveupdate_on;

/* The kernel is being left. The wait queue is for that, and for the end of a freeze. */
static bool vfio_pci_liveupdate_rebooting;
static DECLARE_WAIT_QUEUE_HEAD(vfio_pci_liveupdate_wait);

static struct vfio_pci_core_device *to_vdev(struct vfio_device *core_vdev)
{
	return container_of(core_vdev, struct vfio_pci_core_device, vdev);
}

static struct mutex *vfio_pci_set_lock(struct vfio_pci_core_device *vdev)
{
	return &vdev->vdev.dev_set->lock;
}

static pci_ser_key_t vfio_pci_key(struct vfio_pci_core_device *vdev)
{
	return PCI_SER_KEY(pci_domain_nr(vdev->pdev->bus),
			   pci_dev_id(vdev->pdev));
}

static bool vfio_pci_is_open(struct vfio_pci_core_device *vdev)
{
	lockdep_assert_held(vfio_pci_set_lock(vdev));

	return vdev->vconfig;
}

/* vfio-pci has no device node for a device without an IOMMU, unless in noiommu mode. */
static bool vfio_pci_is_translated(struct vfio_pci_core_device *vdev)
{
	return vdev->pdev->dev.iommu;
}

/* Get the mode of a device, or 0 if its file cannot be preserved. */
static u32 vfio_pci_mode(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_liveupdate *lu = vdev->liveupdate;

	lockdep_assert_held(vfio_pci_set_lock(vdev));

	if (lu->outgoing)
		return lu->outgoing->mode;
	if (lu->incoming)
		return lu->incoming->mode;
	if (lu->requested || vfio_pci_is_translated(vdev))
		return lu->requested;
	return VFIO_PCI_SER_RUNNING;
}

/* Access of user space */

/*
 * Begin an operation that may write to the function other than through its BARs, and
 * keep the device from being frozen until vfio_pci_end_write().
 */
static int vfio_pci_begin_write(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_liveupdate *lu = vdev->liveupdate;

	if (!lu)
		return 0;

	down_read(&lu->lock);
	if (!vfio_pci_is_frozen(vdev))
		return 0;

	up_read(&lu->lock);
	return -EBUSY;
}

static void vfio_pci_end_write(struct vfio_pci_core_device *vdev)
{
	if (vdev->liveupdate)
		up_read(&vdev->liveupdate->lock);
}

/**
 * vfio_pci_liveupdate_ioctl - Refuse ioctls that write to a preserved function
 * @core_vdev: Device
 * @cmd: ioctl number
 * @arg: Argument
 *
 * Return: -EBUSY if the kexec has begun, or if the function runs and is not
 *         finished; else as vfio_pci_core_ioctl().
 */
long vfio_pci_liveupdate_ioctl(struct vfio_device *core_vdev, unsigned int cmd,
			       unsigned long arg)
{
	struct vfio_pci_core_device *vdev = to_vdev(core_vdev);
	long ret;

	switch (cmd) {
	case VFIO_DEVICE_SET_IRQS:
	case VFIO_DEVICE_RESET:
	case VFIO_DEVICE_PCI_HOT_RESET:
		break;
	default:
		return vfio_pci_core_ioctl(core_vdev, cmd, arg);
	}

	ret = vfio_pci_begin_write(vdev);
	if (ret)
		return ret;

	ret = vfio_pci_core_ioctl(core_vdev, cmd, arg);
	if (vdev->liveupdate && READ_ONCE(vdev->liveupdate->outgoing))
		vfio_pci_core_hide_intx(vdev);
	vfio_pci_end_write(vdev);
	return ret;
}

/**
 * vfio_pci_liveupdate_ioctl_feature - Refuse to set features of a preserved function
 * @core_vdev: Device
 * @flags: Feature and operation
 * @arg: Argument
 * @argsz: Size of the argument
 *
 * Low power states write to the function.
 *
 * Return: -EBUSY if the kexec has begun, or if the function runs and is not
 *         finished; else as vfio_pci_core_ioctl_feature().
 */
int vfio_pci_liveupdate_ioctl_feature(struct vfio_device *core_vdev, u32 flags,
				      void __user *arg, size_t argsz)
{
	struct vfio_pci_core_device *vdev = to_vdev(core_vdev);
	int ret;

	if (!(flags & VFIO_DEVICE_FEATURE_SET) ||
	    flags & VFIO_DEVICE_FEATURE_PROBE)
		return vfio_pci_core_ioctl_feature(core_vdev, flags, arg, argsz);

	ret = vfio_pci_begin_write(vdev);
	if (ret)
		return ret;

	ret = vfio_pci_core_ioctl_feature(core_vdev, flags, arg, argsz);
	vfio_pci_end_write(vdev);
	return ret;
}

/**
 * vfio_pci_liveupdate_get_region_info - Don't look at the ROM of a preserved function
 * @core_vdev: Device
 * @info: Region
 * @caps: Capabilities to add to
 *
 * vfio_pci_ioctl_get_region_info() enables the expansion ROM to see if it is valid.
 *
 * Return: As vfio_pci_ioctl_get_region_info().
 */
int vfio_pci_liveupdate_get_region_info(struct vfio_device *core_vdev,
					struct vfio_region_info *info,
					struct vfio_info_cap *caps)
{
	struct vfio_pci_core_device *vdev = to_vdev(core_vdev);
	int ret;

	if (info->index != VFIO_PCI_ROM_REGION_INDEX)
		return vfio_pci_ioctl_get_region_info(core_vdev, info, caps);

	if (vfio_pci_begin_write(vdev)) {
		info->offset = VFIO_PCI_INDEX_TO_OFFSET(info->index);
		info->size = pci_resource_len(vdev->pdev, PCI_ROM_RESOURCE);
		info->flags = info->size ? VFIO_REGION_INFO_FLAG_READ : 0;
		return 0;
	}

	ret = vfio_pci_ioctl_get_region_info(core_vdev, info, caps);
	vfio_pci_end_write(vdev);
	return ret;
}

/**
 * vfio_pci_liveupdate_read - Refuse reads that write to a preserved function
 * @core_vdev: Device
 * @buf: Buffer of user space
 * @count: Number of bytes
 * @ppos: Offset
 *
 * Reading the expansion ROM enables it, and VGA registers need the VGA arbiter.
 *
 * Return: -EBUSY if the kexec has begun, or if the function runs and is not
 *         finished; else as vfio_pci_core_read().
 */
ssize_t vfio_pci_liveupdate_read(struct vfio_device *core_vdev,
				 char __user *buf, size_t count, loff_t *ppos)
{
	struct vfio_pci_core_device *vdev = to_vdev(core_vdev);
	ssize_t ret;

	switch (VFIO_PCI_OFFSET_TO_INDEX(*ppos)) {
	case VFIO_PCI_ROM_REGION_INDEX:
	case VFIO_PCI_VGA_REGION_INDEX:
		break;
	default:
		return vfio_pci_core_read(core_vdev, buf, count, ppos);
	}

	ret = vfio_pci_begin_write(vdev);
	if (ret)
		return ret;

	ret = vfio_pci_core_read(core_vdev, buf, count, ppos);
	vfio_pci_end_write(vdev);
	return ret;
}

/**
 * vfio_pci_liveupdate_write - Refuse configuration writes to a preserved function
 * @core_vdev: Device
 * @buf: Buffer of user space
 * @count: Number of bytes
 * @ppos: Offset
 *
 * Return: -EBUSY if the kexec has begun, or if the function runs and is not
 *         finished; else as vfio_pci_core_write().
 */
ssize_t vfio_pci_liveupdate_write(struct vfio_device *core_vdev,
				  const char __user *buf, size_t count,
				  loff_t *ppos)
{
	struct vfio_pci_core_device *vdev = to_vdev(core_vdev);
	ssize_t ret;

	switch (VFIO_PCI_OFFSET_TO_INDEX(*ppos)) {
	case VFIO_PCI_CONFIG_REGION_INDEX:
	case VFIO_PCI_VGA_REGION_INDEX:
		break;
	default:
		return vfio_pci_core_write(core_vdev, buf, count, ppos);
	}

	ret = vfio_pci_begin_write(vdev);
	if (ret)
		return ret;

	ret = vfio_pci_core_write(core_vdev, buf, count, ppos);
	vfio_pci_end_write(vdev);
	return ret;
}

/* Outgoing */

static struct vfio_pci_core_device *vfio_pci_from_file(struct file *file)
{
	struct vfio_device *core_vdev = vfio_device_from_file(file);

	return core_vdev && core_vdev->ops == &vfio_pci_ops ?
	       to_vdev(core_vdev) : NULL;
}

/* Accept files that preserve refuses: it says why. */
static bool vfio_pci_can_preserve(struct liveupdate_file_handler *handler,
				  struct file *file)
{
	return vfio_pci_from_file(file);
}

static int vfio_pci_check_reset(struct vfio_pci_core_device *vdev)
{
	if (!vdev->sriov_active)
		return 0;

	pci_err(vdev->pdev, "cannot be preserved in reset mode: that would reset its VFs\n");
	return -EOPNOTSUPP;
}

static int vfio_pci_check_preserve(struct vfio_pci_core_device *vdev,
				   struct file *file)
{
	struct pci_dev *pdev = vdev->pdev;

	/* vfio_unregister_group_dev() waits for the file to be closed */
	if (!device_is_registered(&vdev->vdev.device)) {
		pci_err(pdev, "cannot be preserved: vfio-pci is being unbound\n");
		return -ENODEV;
	}

	if (!vfio_file_is_bound_cdev(file)) {
		pci_err(pdev, "cannot be preserved: open its device in /dev/vfio/devices and bind it to an iommufd first\n");
		return -EINVAL;
	}

	switch (vfio_pci_mode(vdev)) {
	case VFIO_PCI_SER_RESET:
		return vfio_pci_check_reset(vdev);
	case VFIO_PCI_SER_RUNNING:
		break;
	default:
		pci_err(pdev, "cannot be preserved: the IOMMU that translates its DMA does not survive the kexec; write \"reset\" to vfio_liveupdate in sysfs to reset the device and preserve its file\n");
		return -EOPNOTSUPP;
	}

	if (vfio_pci_is_vga(pdev) || vfio_pci_is_intel_display(pdev)) {
		pci_err(pdev, "cannot be preserved: opening graphics devices writes to them\n");
		return -EOPNOTSUPP;
	}

	return 0;
}

/* Write the part of the data that does not change until the file is closed. */
static int vfio_pci_ser_fill(struct vfio_pci_ser *ser,
			     struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev;

	ser->key = vfio_pci_key(vdev);
	ser->mode = vfio_pci_mode(vdev);
	ser->vendor = pdev->vendor;
	ser->device = pdev->device;
	ser->subvendor = pdev->subsystem_vendor;
	ser->subdevice = pdev->subsystem_device;
	ser->class = pdev->class;
	ser->revision = pdev->revision;
	if (vdev->reset_works)
		ser->flags |= VFIO_PCI_SER_RESET_WORKS;
	if (vdev->nointx)
		ser->flags |= VFIO_PCI_SER_NOINTX;

	if (ser->mode != VFIO_PCI_SER_RUNNING || !vdev->pci_saved_state)
		return 0;

	ser->state_size = pci_saved_state_ser_size(vdev->pci_saved_state);
	if (ser->state_size > sizeof(ser->state)) {
		pci_err(pdev, "cannot be preserved: its saved state has %u bytes, more than %zu\n",
			ser->state_size, sizeof(ser->state));
		return -E2BIG;
	}

	pci_saved_state_serialize(vdev->pci_saved_state, (void *)ser->state);
	return 0;
}

static int vfio_pci_preserve(struct liveupdate_file_op_args *args)
{
	struct vfio_pci_core_device *vdev = vfio_pci_from_file(args->file);
	struct vfio_pci_ser *ser;
	int err;

	guard(mutex)(vfio_pci_set_lock(vdev));

	err = vfio_pci_check_preserve(vdev, args->file);
	if (err)
		return err;

	ser = kho_alloc_preserve(sizeof(*ser));
	if (IS_ERR(ser))
		return PTR_ERR(ser);

	err = vfio_pci_ser_fill(ser, vdev);
	if (err)
		goto err_free;

	if (ser->mode == VFIO_PCI_SER_RUNNING)
		vfio_pci_core_hide_intx(vdev);

	err = pci_liveupdate_outgoing_preserve(vdev->pdev);
	if (err)
		goto err_free;

	WRITE_ONCE(vdev->liveupdate->outgoing, ser);
	args->serialized_data = virt_to_phys(ser);
	return 0;

err_free:
	kho_unpreserve_free(ser);
	return err;
}

static void vfio_pci_unpreserve(struct liveupdate_file_op_args *args)
{
	struct vfio_pci_core_device *vdev = vfio_pci_from_file(args->file);

	guard(mutex)(vfio_pci_set_lock(vdev));

	/* Unless user space has abandoned it */
	if (pci_liveupdate_outgoing_is_preserved(vdev->pdev))
		pci_liveupdate_outgoing_unpreserve(vdev->pdev);
	WRITE_ONCE(vdev->liveupdate->outgoing, NULL);
	kho_unpreserve_free(phys_to_virt(args->serialized_data));
}

/* Check that the function can go on without the kernel. */
static int vfio_pci_check_running(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev;
	int err;

	if (vdev->pm_runtime_engaged || pdev->current_state != PCI_D0) {
		pci_err(pdev, "is in %s, but can be preserved only in D0\n",
			pci_power_name(pdev->current_state));
		return -EBUSY;
	}

	err = pci_liveupdate_outgoing_check(pdev);
	if (err)
		return err;

	guard(mutex)(&vdev->igate);

	if (vdev->irq_type != VFIO_PCI_NUM_IRQS) {
		pci_err(pdev, "has interrupts enabled, which the next kernel would lose: disable them before the kexec\n");
		return -EBUSY;
	}

	return 0;
}

static int vfio_pci_freeze_locked(struct vfio_pci_core_device *vdev,
				  struct vfio_pci_ser *ser)
{
	uuid_t token;
	int err;

	guard(mutex)(vfio_pci_set_lock(vdev));

	/* device_shutdown() would wait for the unbinding, which waits for LUO */
	if (vdev->liveupdate->removing) {
		pci_err(vdev->pdev, "vfio-pci is being unbound: close the session\n");
		return -ENODEV;
	}

	/* User space has abandoned it: the next kernel does not retrieve the file */
	if (!pci_liveupdate_outgoing_is_preserved(vdev->pdev))
		return 0;

	err = ser->mode == VFIO_PCI_SER_RUNNING ? vfio_pci_check_running(vdev) :
						  vfio_pci_check_reset(vdev);
	if (err)
		return err;

	if (ser->mode == VFIO_PCI_SER_RUNNING)
		vfio_pci_core_save_config(vdev, ser);

	if (vfio_pci_core_get_vf_token(vdev, &token)) {
		export_uuid(ser->vf_token, &token);
		ser->flags |= VFIO_PCI_SER_TOKEN;
	}

	WRITE_ONCE(vdev->frozen, true);
	return 0;
}

static int vfio_pci_freeze(struct liveupdate_file_op_args *args)
{
	struct vfio_pci_core_device *vdev = vfio_pci_from_file(args->file);
	struct vfio_pci_liveupdate *lu = vdev->liveupdate;
	int err;

	/* A user may hold it for as long as it does not answer a page fault */
	if (!down_write_trylock(&lu->lock)) {
		pci_err(vdev->pdev, "a call of its user has not ended\n");
		return -EBUSY;
	}

	err = vfio_pci_freeze_locked(vdev, phys_to_virt(args->serialized_data));
	up_write(&lu->lock);
	return err;
}

static void vfio_pci_unfreeze(struct liveupdate_file_op_args *args)
{
	struct vfio_pci_core_device *vdev = vfio_pci_from_file(args->file);

	guard(rwsem_write)(&vdev->liveupdate->lock);

	scoped_guard(mutex, vfio_pci_set_lock(vdev))
		WRITE_ONCE(vdev->frozen, false);
	wake_up_all(&vfio_pci_liveupdate_wait);
}

/*
 * Reset functions in reset mode after every file is frozen: nothing stops the kexec
 * any more. The PCI core refuses writes as soon as its own notifier has run.
 */
static int vfio_pci_liveupdate_reboot(struct notifier_block *nb,
				      unsigned long action, void *data)
{
	struct vfio_pci_liveupdate *lu;
	unsigned long key;
	int err;

	WRITE_ONCE(vfio_pci_liveupdate_rebooting, true);
	wake_up_all(&vfio_pci_liveupdate_wait);

	guard(mutex)(&vfio_pci_liveupdate_mutex);

	xa_for_each(&vfio_pci_liveupdate_devices, key, lu) {
		if (!lu->vdev->frozen || lu->outgoing->mode != VFIO_PCI_SER_RESET)
			continue;

		err = vfio_pci_core_quiesce(lu->vdev);
		if (err)
			pci_warn(lu->vdev->pdev, "cannot be reset (%pe), only its bus mastering is cleared\n",
				 ERR_PTR(err));
	}

	return NOTIFY_DONE;
}

static struct notifier_block vfio_pci_liveupdate_reboot_nb = {
	.notifier_call = vfio_pci_liveupdate_reboot,
	.priority = 1,	/* before the PCI core, with 0 */
};

/* Incoming */

static struct vfio_pci_ser *vfio_pci_ser_get(u64 pa)
{
	if (kho_is_restorable(pa, sizeof(struct vfio_pci_ser)))
		return phys_to_virt(pa);

	pr_err("liveupdate: the data of a file at %#llx was not preserved\n", pa);
	return NULL;
}

/* Check all of the data but the saved state. */
static int vfio_pci_check_ser(const struct vfio_pci_ser *ser)
{
	if (!(ser->flags & ~VFIO_PCI_SER_FLAGS) && !ser->reserved &&
	    ser->state_size <= sizeof(ser->state) &&
	    (ser->mode == VFIO_PCI_SER_RUNNING || ser->mode == VFIO_PCI_SER_RESET))
		return 0;

	pr_err("liveupdate: the data of a file is damaged or too new: mode %u, flags %#x, state of %u bytes\n",
	       ser->mode, ser->flags, ser->state_size);
	return -EINVAL;
}

/* Get a reference of the function that a file belongs to, with any driver or none. */
static struct pci_dev *vfio_pci_get_incoming(const struct vfio_pci_ser *ser)
{
	u16 bdf = PCI_SER_KEY_BDF(ser->key);
	struct pci_dev *pdev;

	pdev = pci_get_domain_bus_and_slot(PCI_SER_KEY_DOMAIN(ser->key),
					   PCI_BUS_NUM(bdf), bdf & 0xff);
	if (pdev && pci_liveupdate_incoming_is_preserved(pdev))
		return pdev;

	pci_dev_put(pdev);
	return NULL;
}

/* Get a reference of the device that a file belongs to. */
static struct vfio_pci_core_device *vfio_pci_find(const struct vfio_pci_ser *ser)
{
	struct vfio_pci_liveupdate *lu;

	guard(mutex)(&vfio_pci_liveupdate_mutex);

	lu = xa_load(&vfio_pci_liveupdate_devices, ser->key);
	return lu && vfio_device_try_get_registration(&lu->vdev->vdev) ?
	       lu->vdev : NULL;
}

static int vfio_pci_not_found(const struct vfio_pci_ser *ser)
{
	struct pci_dev *pdev __free(pci_dev_put) = vfio_pci_get_incoming(ser);
	u16 bdf = PCI_SER_KEY_BDF(ser->key);

	if (pdev) {
		pci_err(pdev, "has a preserved file, but is not bound to vfio-pci: bind it and retrieve the file again\n");
		return -EAGAIN;
	}

	pr_err("liveupdate: %04x:%02x:%02x.%d has a preserved file, but is gone, or is another device now\n",
	       PCI_SER_KEY_DOMAIN(ser->key), PCI_BUS_NUM(bdf), PCI_SLOT(bdf),
	       PCI_FUNC(bdf));
	return -ENODEV;
}

/* Check that it is the function that the previous kernel preserved. */
static int vfio_pci_check_identity(struct vfio_pci_core_device *vdev,
				   const struct vfio_pci_ser *ser)
{
	struct pci_dev *pdev = vdev->pdev;

	if (!pci_liveupdate_incoming_is_preserved(pdev)) {
		pci_err(pdev, "has a preserved file, but was not preserved, or is another device now\n");
		return -ENODEV;
	}

	if (!pci_device_is_present(pdev)) {
		pci_err(pdev, "has a preserved file, but does not answer any more\n");
		return -ENODEV;
	}

	if (pdev->vendor != ser->vendor || pdev->device != ser->device ||
	    pdev->subsystem_vendor != ser->subvendor ||
	    pdev->subsystem_device != ser->subdevice ||
	    pdev->class != ser->class || pdev->revision != ser->revision) {
		pci_err(pdev, "[%04x:%04x] subsystem [%04x:%04x] class %06x rev %02x was preserved, found [%04x:%04x] subsystem [%04x:%04x] class %06x rev %02x\n",
			ser->vendor, ser->device, ser->subvendor, ser->subdevice,
			ser->class, ser->revision, pdev->vendor, pdev->device,
			pdev->subsystem_vendor, pdev->subsystem_device,
			pdev->class, pdev->revision);
		return -ENODEV;
	}

	return 0;
}

/* LUO calls again after -EAGAIN only. Memory, or another open file, may be had then. */
static int vfio_pci_retrieve_error(int err)
{
	return err == -ENOMEM || err == -ENFILE ? -EAGAIN : err;
}

/* Let the next open leave the function as it is. */
static int vfio_pci_keep(struct vfio_pci_core_device *vdev,
			 const struct vfio_pci_ser *ser)
{
	struct pci_saved_state *state = NULL;

	if (vfio_pci_is_translated(vdev)) {
		pci_err(vdev->pdev, "was preserved without an IOMMU, but one translates its DMA in this kernel\n");
		return -EOPNOTSUPP;
	}

	if (ser->state_size) {
		state = pci_saved_state_deserialize(vdev->pdev,
						    (void *)ser->state,
						    ser->state_size);
		if (IS_ERR(state)) {
			pci_err(vdev->pdev, "its saved state is damaged, or there is no memory: %pe\n",
				state);
			return vfio_pci_retrieve_error(PTR_ERR(state));
		}
	}

	vdev->pci_saved_state = state;
	vdev->reset_works = !!(ser->flags & VFIO_PCI_SER_RESET_WORKS);
	vdev->nointx = !!(ser->flags & VFIO_PCI_SER_NOINTX);
	vdev->kept = ser;
	return 0;
}

static int vfio_pci_adopt(struct vfio_pci_core_device *vdev,
			  struct vfio_pci_ser *ser, struct file **file)
{
	struct vfio_pci_liveupdate *lu = vdev->liveupdate;
	uuid_t token;
	int err;

	guard(rwsem_write)(&lu->lock);
	guard(mutex)(vfio_pci_set_lock(vdev));

	/* Two files of one function: the data is damaged */
	if (lu->incoming || vfio_pci_is_open(vdev)) {
		pci_err(vdev->pdev, "another file of it was retrieved\n");
		return -EBUSY;
	}

	err = vfio_pci_check_identity(vdev, ser);
	if (err)
		return err;

	if (ser->mode == VFIO_PCI_SER_RUNNING) {
		err = vfio_pci_keep(vdev, ser);
		if (err)
			return err;
	}

	*file = vfio_device_open_cdev(&vdev->vdev);
	if (IS_ERR(*file)) {
		pci_err(vdev->pdev, "no file for it: %pe\n", *file);
		if (vdev->kept)
			vfio_pci_core_unkeep(vdev);
		return vfio_pci_retrieve_error(PTR_ERR(*file));
	}

	if (ser->flags & VFIO_PCI_SER_TOKEN) {
		import_uuid(&token, ser->vf_token);
		vfio_pci_core_set_vf_token(vdev, &token);
	}

	if (ser->mode == VFIO_PCI_SER_RESET) {
		lu->requested = VFIO_PCI_SER_RESET;
		pci_liveupdate_incoming_hold(vdev->pdev, false);
	}
	lu->incoming = ser;
	return 0;
}

static int vfio_pci_retrieve(struct liveupdate_file_op_args *args)
{
	struct vfio_pci_core_device *vdev;
	struct vfio_pci_ser *ser;
	int err;

	ser = vfio_pci_ser_get(args->serialized_data);
	if (!ser)
		return -EINVAL;

	err = vfio_pci_check_ser(ser);
	if (err)
		return err;

	vdev = vfio_pci_find(ser);
	if (!vdev)
		return vfio_pci_not_found(ser);

	/* The file takes over the reference */
	err = vfio_pci_adopt(vdev, ser, &args->file);
	if (err)
		vfio_device_put_registration(&vdev->vdev);
	return err;
}

/*
 * Closing the last file descriptor of a session finishes it as well. If its owner has
 * died, keep the session for the next owner, as the function still uses its memory.
 */
static bool vfio_pci_owner_died(void)
{
	return current->flags & (PF_EXITING | PF_KTHREAD);
}

/*
 * Stop a function whose file is lost, and that may have been removed through sysfs, before
 * LUO frees memory of the session.
 */
static void vfio_pci_abandon(u64 pa)
{
	const struct vfio_pci_ser *ser = vfio_pci_ser_get(pa);
	struct vfio_pci_core_device *vdev;

	if (!ser)
		return;

	/* Another file of the function may have been retrieved, if data is damaged */
	vdev = vfio_pci_find(ser);
	if (!(vdev && vdev->liveupdate->incoming))
		pci_liveupdate_incoming_abandon_recorded(PCI_SER_KEY_DOMAIN(ser->key),
							 PCI_SER_KEY_BDF(ser->key));
	if (vdev)
		vfio_device_put_registration(&vdev->vdev);
}

/* User space has abandoned the function of a file, or it was unplugged. */
static bool vfio_pci_is_dropped(u64 pa)
{
	const struct vfio_pci_ser *ser = vfio_pci_ser_get(pa);

	return ser && !pci_liveupdate_incoming_is_recorded(PCI_SER_KEY_DOMAIN(ser->key),
							   PCI_SER_KEY_BDF(ser->key));
}

/* After a file that cannot be retrieved the session can finish. */
static bool vfio_pci_can_finish(struct liveupdate_file_op_args *args)
{
	if (vfio_pci_owner_died())
		return false;

	if (args->retrieve_status < 0)
		vfio_pci_abandon(args->serialized_data);
	return args->retrieve_status || vfio_pci_is_dropped(args->serialized_data);
}

static void vfio_pci_finish_file(struct file *file)
{
	struct vfio_pci_core_device *vdev = vfio_pci_from_file(file);
	struct vfio_pci_liveupdate *lu = vdev->liveupdate;
	struct pci_dev *pdev = vdev->pdev;

	guard(rwsem_write)(&lu->lock);
	guard(mutex)(vfio_pci_set_lock(vdev));

	if (vdev->kept && !vfio_pci_is_open(vdev)) {
		if (pci_liveupdate_incoming_is_preserved(pdev))
			pci_liveupdate_incoming_abandon(pdev);
		vfio_pci_core_unkeep(vdev);
	} else if (pci_liveupdate_incoming_is_preserved(pdev)) {
		pci_liveupdate_incoming_finish(pdev);
	}

	vdev->kept = NULL;
	vdev->kept_enabled = false;
	lu->incoming = NULL;
}

static void vfio_pci_finish(struct liveupdate_file_op_args *args)
{
	struct vfio_pci_ser *ser = vfio_pci_ser_get(args->serialized_data);

	if (args->retrieve_status > 0)
		vfio_pci_finish_file(args->file);
	if (ser)
		kho_restore_free(ser);
}

/* All files of one device have the same ID. */
static unsigned long vfio_pci_get_id(struct file *file)
{
	return (unsigned long)vfio_pci_from_file(file);
}

static const struct liveupdate_file_ops vfio_pci_file_ops = {
	.can_preserve = vfio_pci_can_preserve,
	.preserve = vfio_pci_preserve,
	.unpreserve = vfio_pci_unpreserve,
	.freeze = vfio_pci_freeze,
	.unfreeze = vfio_pci_unfreeze,
	.retrieve = vfio_pci_retrieve,
	.can_finish = vfio_pci_can_finish,
	.finish = vfio_pci_finish,
	.get_id = vfio_pci_get_id,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler vfio_pci_handler = {
	.ops = &vfio_pci_file_ops,
	.compatible = VFIO_PCI_LUO_FH_COMPATIBLE,
};

/* sysfs */

static ssize_t vfio_liveupdate_show(struct device *dev,
				    struct device_attribute *attr, char *buf)
{
	struct vfio_pci_core_device *vdev = dev_get_drvdata(dev);

	guard(mutex)(vfio_pci_set_lock(vdev));

	switch (vfio_pci_mode(vdev)) {
	case VFIO_PCI_SER_RUNNING:
		return sysfs_emit(buf, "running\n");
	case VFIO_PCI_SER_RESET:
		return sysfs_emit(buf, "reset\n");
	default:
		return sysfs_emit(buf, "off\n");
	}
}

static ssize_t vfio_liveupdate_store(struct device *dev,
				     struct device_attribute *attr,
				     const char *buf, size_t count)
{
	struct vfio_pci_core_device *vdev = dev_get_drvdata(dev);
	struct vfio_pci_liveupdate *lu = vdev->liveupdate;
	u32 requested;

	if (sysfs_streq(buf, "reset"))
		requested = VFIO_PCI_SER_RESET;
	else if (sysfs_streq(buf, vfio_pci_is_translated(vdev) ? "off" : "running"))
		requested = 0;
	else
		return -EINVAL;

	guard(mutex)(vfio_pci_set_lock(vdev));

	if (lu->outgoing || lu->incoming)
		return -EBUSY;

	lu->requested = requested;
	return count;
}
static DEVICE_ATTR_RW(vfio_liveupdate);

static struct attribute *vfio_pci_liveupdate_attrs[] = {
	&dev_attr_vfio_liveupdate.attr,
	NULL,
};

static umode_t vfio_pci_liveupdate_is_visible(struct kobject *kobj,
					      struct attribute *attr, int n)
{
	return vfio_pci_liveupdate_on ? attr->mode : 0;
}

static const struct attribute_group vfio_pci_liveupdate_group = {
	.attrs = vfio_pci_liveupdate_attrs,
	.is_visible = vfio_pci_liveupdate_is_visible,
};

const struct attribute_group *vfio_pci_liveupdate_groups[] = {
	&vfio_pci_liveupdate_group,
	NULL,
};

/* Driver */

/**
 * vfio_pci_liveupdate_add - Prepare a device for live update
 * @vdev: Device before it is registered
 * @enable_sriov: vfio-pci may create VFs
 *
 * Return: 0, or -ENOMEM if there is no memory.
 */
int vfio_pci_liveupdate_add(struct vfio_pci_core_device *vdev, bool enable_sriov)
{
	struct vfio_pci_liveupdate *lu;
	int err;

	if (!vfio_pci_liveupdate_on)
		return 0;

	lu = kzalloc_obj(*lu);
	if (!lu)
		return -ENOMEM;

	lu->vdev = vdev;
	init_rwsem(&lu->lock);
	vdev->liveupdate = lu;
	vdev->adopts_vfs = enable_sriov && pci_num_vf(vdev->pdev) &&
			   pci_liveupdate_incoming_is_preserved(vdev->pdev);

	scoped_guard(mutex, &vfio_pci_liveupdate_mutex)
		err = xa_insert(&vfio_pci_liveupdate_devices, vfio_pci_key(vdev),
				lu, GFP_KERNEL);
	if (err) {
		vdev->liveupdate = NULL;
		kfree(lu);
		return err;
	}

	pci_liveupdate_incoming_hold(vdev->pdev, true);
	return 0;
}

/**
 * vfio_pci_liveupdate_leaves - Check if a device must stay registered to the end
 * @vdev: Device that vfio-pci is being unbound from
 *
 * If a card is pulled after its file is frozen, unregistering the device would wait for
 * its user and LUO to close the file, and device_shutdown() for that. Waits until the
 * kexec has begun or has failed.
 *
 * Return: true if the kexec has begun: the device must not be unregistered.
 */
bool vfio_pci_liveupdate_leaves(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_liveupdate *lu = vdev->liveupdate;

	if (!lu)
		return false;

	for (;;) {
		wait_event(vfio_pci_liveupdate_wait,
			   !READ_ONCE(vdev->frozen) ||
			   READ_ONCE(vfio_pci_liveupdate_rebooting));

		guard(mutex)(vfio_pci_set_lock(vdev));

		/* It cannot be frozen any more */
		lu->removing = !vdev->frozen;
		if (lu->removing)
			return false;
		if (vfio_pci_liveupdate_rebooting)
			return true;
	}
}

/**
 * vfio_pci_liveupdate_remove - Undo vfio_pci_liveupdate_add()
 * @vdev: Device that is no longer registered
 */
void vfio_pci_liveupdate_remove(struct vfio_pci_core_device *vdev)
{
	if (!vdev->liveupdate)
		return;

	pci_liveupdate_incoming_hold(vdev->pdev, false);
	scoped_guard(mutex, &vfio_pci_liveupdate_mutex)
		xa_erase(&vfio_pci_liveupdate_devices, vfio_pci_key(vdev));
	kfree(vdev->liveupdate);
	vdev->liveupdate = NULL;
}

/**
 * vfio_pci_liveupdate_init - Register the file handler
 *
 * Return: 0, even if live update is off, or an errno.
 */
int vfio_pci_liveupdate_init(void)
{
	int err;

	err = liveupdate_register_file_handler(&vfio_pci_handler);
	if (err)
		return err == -EOPNOTSUPP ? 0 : err;

	err = pci_liveupdate_register_fh(&vfio_pci_handler);
	if (err)
		goto err_handler;

	err = register_reboot_notifier(&vfio_pci_liveupdate_reboot_nb);
	if (err)
		goto err_handler;

	vfio_pci_liveupdate_on = true;
	return 0;

err_handler:
	liveupdate_unregister_file_handler(&vfio_pci_handler);
	return err;
}

/**
 * vfio_pci_liveupdate_exit - Unregister the file handler
 *
 * No file is in a session: it would hold a reference of the module.
 */
void vfio_pci_liveupdate_exit(void)
{
	if (!vfio_pci_liveupdate_on)
		return;

	unregister_reboot_notifier(&vfio_pci_liveupdate_reboot_nb);
	liveupdate_unregister_file_handler(&vfio_pci_handler);
}

/* LUO loads the module if a file is preserved. */
MODULE_ALIAS("liveupdate-" VFIO_PCI_LUO_FH_COMPATIBLE);
