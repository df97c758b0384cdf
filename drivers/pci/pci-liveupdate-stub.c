// SPDX-License-Identifier: GPL-2.0
/*
 * PCI live update: stub driver, which only preserves functions.
 */

/**
 * DOC: PCI live update stub driver
 *
 * Like pci-stub, the driver binds to functions with a type 0 header by
 * driver_override or new_id, and never enables, disables or resets them. Each
 * bound function has a character device, /dev/pci-liveupdate/<address>. User space
 * opens it, and preserves and retrieves the file through /dev/liveupdate like the
 * file of a VFIO device::
 *
 *	# echo pci-liveupdate-stub > /sys/bus/pci/devices/0000:03:00.0/driver_override
 *	# echo 0000:03:00.0 > /sys/bus/pci/drivers_probe
 *	# pci-liveupdate preserve vm1 03:00.0
 *
 * In the next kernel, bind the function before retrieving its file. Until then, or if
 * memory is lacking, the retrieval fails with -EAGAIN, and can be repeated. Other errors
 * are final.
 *
 * The data of a file is the &pci_ser_key_t of its function, so preserving a file
 * allocates no memory. The function also identifies the file: LUO refuses to
 * preserve two open files of one function.
 *
 * Unbinding a preserved function unpreserves it: another driver may bind. But the
 * file stays in its session, and the owner of the session expects the function in
 * the next kernel. So the kexec fails with -ENODEV and a message if a function in
 * a session was unbound or removed, does not answer, or was reset. The owner then
 * closes the session, or binds the function and preserves it in a new session.
 *
 * A PF bound to the driver gets VFs from sriov_numvfs, and keeps them when it is
 * unbound. It need not be preserved for its VFs to be preserved.
 *
 * In the next kernel a session can finish once each file was retrieved, or once that
 * failed for good, or once user space has abandoned the function, see
 * pci_liveupdate_abandon(). A function that is abandoned before the kexec neither goes
 * to the next kernel nor prevents the kexec, even if it is unbound after that, although
 * its file stays in the session.
 *
 * DMA of a function is stopped if its file cannot be retrieved, or if the function was
 * removed through sysfs when its session is finished.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
#define dev_fmt(fmt) "liveupdate: " fmt

#include <linux/anon_inodes.h>
#include <linux/cdev.h>
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/device/class.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/init.h>
#include <linux/kdev_t.h>
#include <linux/kernel.h>
#include <linux/kho/abi/pci.h>
#include <linux/kref.h>
#include <linux/liveupdate.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#define STUB_NAME	"pci-liveupdate-stub"
#define STUB_COMPATIBLE	"pci-liveupdate-stub-v1"

/**
 * struct stub - A function that is bound or has open files.
 * @pdev:      The function; referenced.
 * @kref:      One reference while bound, and one for each open file.
 * @minor:     Minor number of the character device.
 * @lock:      Also serializes preserving and unbinding.
 * @bound:     The driver is bound to @pdev.
 * @preserved: The function is preserved for the next kernel.
 * @abandoned: User space had abandoned the preserved function when it was unbound.
 *             Another owner may preserve it since.
 */
struct stub {
	struct pci_dev *pdev;
	struct kref kref;
	int minor;
	struct mutex lock; /* protects bound, preserved and abandoned */
	bool bound;
	bool preserved;
	bool abandoned;
};

static dev_t stub_devt;
static struct cdev stub_cdev;
static DEFINE_IDA(stub_minors);

static const struct class stub_class = {
	.name = "pci-liveupdate",
};

/*
 * Bound functions by minor number and by key. stub_lock protects both, and lookups
 * take a reference under it.
 */
static DEFINE_MUTEX(stub_lock);
static DEFINE_XARRAY(stubs_by_minor);
static DEFINE_XARRAY(stubs_by_key);

static pci_ser_key_t stub_key(struct stub *stub)
{
	return PCI_SER_KEY(pci_domain_nr(stub->pdev->bus),
			   pci_dev_id(stub->pdev));
}

static void stub_release(struct kref *kref)
{
	struct stub *stub = container_of(kref, struct stub, kref);

	pci_dev_put(stub->pdev);
	mutex_destroy(&stub->lock);
	kfree(stub);
}

static void stub_put(struct stub *stub)
{
	kref_put(&stub->kref, stub_release);
}

static struct stub *stub_get(struct xarray *stubs, unsigned long index)
{
	struct stub *stub;

	guard(mutex)(&stub_lock);

	stub = xa_load(stubs, index);
	if (stub)
		kref_get(&stub->kref);
	return stub;
}

/* Files */

static int stub_fop_open(struct inode *inode, struct file *file)
{
	struct stub *stub = stub_get(&stubs_by_minor, iminor(inode));

	if (!stub)
		return -ENODEV;

	file->private_data = stub;
	return 0;
}

static int stub_fop_release(struct inode *inode, struct file *file)
{
	stub_put(file->private_data);
	return 0;
}

static const struct file_operations stub_fops = {
	.owner = THIS_MODULE,
	.open = stub_fop_open,
	.release = stub_fop_release,
};

/* File handler */

static bool stub_can_preserve(struct liveupdate_file_handler *handler,
			      struct file *file)
{
	return file->f_op == &stub_fops;
}

static int stub_preserve(struct liveupdate_file_op_args *args)
{
	struct stub *stub = args->file->private_data;
	int err;

	guard(mutex)(&stub->lock);

	if (!stub->bound)
		return -ENODEV;

	err = pci_liveupdate_outgoing_preserve(stub->pdev);
	if (err)
		return err;

	stub->preserved = true;
	args->serialized_data = stub_key(stub);
	return 0;
}

static bool stub_is_abandoned(struct stub *stub)
{
	lockdep_assert_held(&stub->lock);

	return stub->abandoned ||
	       (stub->preserved && !pci_liveupdate_outgoing_is_preserved(stub->pdev));
}

static void stub_unpreserve_locked(struct stub *stub)
{
	lockdep_assert_held(&stub->lock);

	if (stub->preserved && !stub_is_abandoned(stub))
		pci_liveupdate_outgoing_unpreserve(stub->pdev);
	stub->preserved = false;
}

static void stub_unpreserve(struct liveupdate_file_op_args *args)
{
	struct stub *stub = args->file->private_data;

	guard(mutex)(&stub->lock);

	stub_unpreserve_locked(stub);
	stub->abandoned = false;
}

/* Fail the kexec rather than lose the function. Needs no .unfreeze(). */
static int stub_freeze(struct liveupdate_file_op_args *args)
{
	struct stub *stub = args->file->private_data;

	guard(mutex)(&stub->lock);

	if (stub_is_abandoned(stub))
		return 0;

	if (!stub->bound || !stub->preserved) {
		pci_err(stub->pdev, "unbound or removed since it was preserved: close its session, then bind and preserve it again if the next kernel needs it\n");
		return -ENODEV;
	}

	return pci_liveupdate_outgoing_check(stub->pdev);
}

static int stub_check_incoming(struct stub *stub)
{
	if (!pci_liveupdate_incoming_is_preserved(stub->pdev)) {
		pci_warn(stub->pdev, "was not preserved, or is another device now\n");
		return -ENODEV;
	}

	if (!pci_device_is_present(stub->pdev)) {
		pci_err(stub->pdev, "was preserved, but does not answer any more\n");
		return -ENODEV;
	}

	return 0;
}

/* Get a reference of the preserved function with a key, with any driver or none. */
static struct pci_dev *stub_get_incoming(pci_ser_key_t key)
{
	u16 bdf = PCI_SER_KEY_BDF(key);
	struct pci_dev *pdev;

	pdev = pci_get_domain_bus_and_slot(PCI_SER_KEY_DOMAIN(key),
					   PCI_BUS_NUM(bdf), bdf & 0xff);
	if (pdev && pci_liveupdate_incoming_is_preserved(pdev))
		return pdev;

	pci_dev_put(pdev);
	return NULL;
}

/* LUO remembers other errors than -EAGAIN, and does not call again. */
static int stub_not_bound(pci_ser_key_t key)
{
	struct pci_dev *pdev __free(pci_dev_put) = stub_get_incoming(key);

	if (!pdev)
		return -ENODEV;

	pci_err(pdev, "has a preserved file, but is not bound to " STUB_NAME "\n");
	return -EAGAIN;
}

static int stub_retrieve(struct liveupdate_file_op_args *args)
{
	struct stub *stub;
	struct file *file;
	int err;

	stub = stub_get(&stubs_by_key, args->serialized_data);
	if (!stub)
		return stub_not_bound(args->serialized_data);

	err = stub_check_incoming(stub);
	if (err) {
		stub_put(stub);
		return err;
	}

	/* LUO calls again after this error only, and there may be memory then */
	file = anon_inode_getfile("[" STUB_NAME "]", &stub_fops, stub, O_RDWR);
	if (IS_ERR(file)) {
		pci_warn(stub->pdev, "no file for it (%pe): retrieve it again\n", file);
		stub_put(stub);
		return -EAGAIN;
	}

	args->file = file;
	return 0;
}

/*
 * Stop a function whose file is lost, and that may have been removed through sysfs, before
 * LUO frees memory of its session.
 */
static void stub_abandon(pci_ser_key_t key)
{
	pci_liveupdate_incoming_abandon_recorded(PCI_SER_KEY_DOMAIN(key),
						 PCI_SER_KEY_BDF(key));
}

/*
 * Don't finish a function by accident before the attempt to retrieve its file. Let the
 * session finish after an attempt that failed, and without the file of a function that
 * user space has abandoned.
 */
static bool stub_can_finish(struct liveupdate_file_op_args *args)
{
	pci_ser_key_t key = args->serialized_data;

	if (args->retrieve_status < 0)
		stub_abandon(key);
	return args->retrieve_status ||
	       !pci_liveupdate_incoming_is_recorded(PCI_SER_KEY_DOMAIN(key),
						    PCI_SER_KEY_BDF(key));
}

/*
 * The function may have been removed since its file was retrieved, and found again with
 * another struct pci_dev. Without one no driver can stop its DMA later.
 */
static void stub_finish(struct liveupdate_file_op_args *args)
{
	pci_ser_key_t key = args->serialized_data;
	struct pci_dev *pdev __free(pci_dev_put) = stub_get_incoming(key);

	if (args->retrieve_status <= 0)
		return;

	if (pdev)
		pci_liveupdate_incoming_finish(pdev);
	else
		stub_abandon(key);
}

/* All files of one function have the same ID. */
static unsigned long stub_get_id(struct file *file)
{
	struct stub *stub = file->private_data;

	return (unsigned long)stub->pdev;
}

static const struct liveupdate_file_ops stub_file_ops = {
	.can_preserve = stub_can_preserve,
	.preserve = stub_preserve,
	.unpreserve = stub_unpreserve,
	.freeze = stub_freeze,
	.retrieve = stub_retrieve,
	.can_finish = stub_can_finish,
	.finish = stub_finish,
	.get_id = stub_get_id,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler stub_handler = {
	.ops = &stub_file_ops,
	.compatible = STUB_COMPATIBLE,
};

/* Driver */

static void stub_hide(struct stub *stub)
{
	guard(mutex)(&stub_lock);

	xa_erase(&stubs_by_key, stub_key(stub));
	xa_erase(&stubs_by_minor, stub->minor);
}

static int stub_show(struct stub *stub)
{
	int err;

	guard(mutex)(&stub_lock);

	err = xa_insert(&stubs_by_minor, stub->minor, stub, GFP_KERNEL);
	if (err)
		return err;

	err = xa_insert(&stubs_by_key, stub_key(stub), stub, GFP_KERNEL);
	if (err)
		xa_erase(&stubs_by_minor, stub->minor);
	return err;
}

static struct stub *stub_alloc(struct pci_dev *pdev)
{
	struct stub *stub = kzalloc_obj(*stub);

	if (!stub)
		return ERR_PTR(-ENOMEM);

	stub->minor = ida_alloc_max(&stub_minors, MINORMASK, GFP_KERNEL);
	if (stub->minor < 0) {
		int err = stub->minor;

		kfree(stub);
		return ERR_PTR(err);
	}

	kref_init(&stub->kref);
	mutex_init(&stub->lock);
	stub->pdev = pci_dev_get(pdev);
	stub->bound = true;
	return stub;
}

static int stub_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct stub *stub;
	struct device *dev;
	int err;

	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL)
		return -EINVAL;

	stub = stub_alloc(pdev);
	if (IS_ERR(stub))
		return PTR_ERR(stub);

	pci_set_drvdata(pdev, stub);
	err = stub_show(stub);
	if (err)
		goto err_free;

	dev = device_create(&stub_class, &pdev->dev,
			    MKDEV(MAJOR(stub_devt), stub->minor), stub,
			    "pci-liveupdate!%s", pci_name(pdev));
	if (IS_ERR(dev)) {
		err = PTR_ERR(dev);
		goto err_hide;
	}

	return 0;

err_hide:
	stub_hide(stub);
err_free:
	ida_free(&stub_minors, stub->minor);
	stub_put(stub);
	return err;
}

static void stub_remove(struct pci_dev *pdev)
{
	struct stub *stub = pci_get_drvdata(pdev);

	device_destroy(&stub_class, MKDEV(MAJOR(stub_devt), stub->minor));
	stub_hide(stub);

	scoped_guard(mutex, &stub->lock) {
		stub->bound = false;
		stub->abandoned = stub_is_abandoned(stub);
		if (stub->preserved && !stub->abandoned &&
		    system_state == SYSTEM_RUNNING)
			pci_warn(pdev, "unbound while preserved for the next kernel: no kexec until its session is closed\n");
		stub_unpreserve_locked(stub);
	}

	ida_free(&stub_minors, stub->minor);
	stub_put(stub);
}

static struct pci_driver stub_driver = {
	.name = STUB_NAME,
	.id_table = NULL,	/* only dynamic IDs */
	.probe = stub_probe,
	.remove = stub_remove,
	.sriov_configure = pci_sriov_configure_simple,
	.driver_managed_dma = true,
	.liveupdate_aware = true,
};

static int __init stub_register_handler(void)
{
	int err;

	err = liveupdate_register_file_handler(&stub_handler);
	if (err)
		return err;

	err = pci_liveupdate_register_fh(&stub_handler);
	if (err)
		liveupdate_unregister_file_handler(&stub_handler);
	return err;
}

static int __init stub_register_chrdev(void)
{
	int err;

	err = alloc_chrdev_region(&stub_devt, 0, MINORMASK + 1, STUB_NAME);
	if (err)
		return err;

	cdev_init(&stub_cdev, &stub_fops);
	stub_cdev.owner = THIS_MODULE;
	err = cdev_add(&stub_cdev, stub_devt, MINORMASK + 1);
	if (err)
		unregister_chrdev_region(stub_devt, MINORMASK + 1);
	return err;
}

static void __init stub_unregister_chrdev(void)
{
	cdev_del(&stub_cdev);
	unregister_chrdev_region(stub_devt, MINORMASK + 1);
}

static int __init stub_init(void)
{
	int err;

	/* Don't bind functions that cannot be preserved */
	if (!liveupdate_enabled())
		return 0;

	err = class_register(&stub_class);
	if (err)
		return err;

	err = stub_register_chrdev();
	if (err)
		goto err_class;

	err = stub_register_handler();
	if (err)
		goto err_chrdev;

	err = pci_register_driver(&stub_driver);
	if (err)
		goto err_handler;

	return 0;

err_handler:
	liveupdate_unregister_file_handler(&stub_handler);
err_chrdev:
	stub_unregister_chrdev();
err_class:
	class_unregister(&stub_class);
	return err;
}
device_initcall(stub_init);
