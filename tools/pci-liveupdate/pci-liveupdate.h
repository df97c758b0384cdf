/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Declarations for the source files of pci-liveupdate.
 */

#ifndef _PCI_LIVEUPDATE_H
#define _PCI_LIVEUPDATE_H

#include <linux/types.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROGRAM		"pci-liveupdate"
#define STUB_DRIVER	"pci-liveupdate-stub"
#define VFIO_DRIVER	"vfio-pci"

#define PCI_SYSFS	"/sys/bus/pci"

/* A file of each function that is bound to a vfio-pci with live update */
#define VFIO_MODE_FILE	"vfio_liveupdate"
#define VFIO_OFF	"off"

/* Exit status of the program */
enum status {
	STATUS_OK,
	STATUS_USAGE,
	STATUS_ENVIRONMENT,
	STATUS_REFUSED,
	STATUS_INCOMPLETE,
};

/**
 * struct options - Options of the command line.
 * @root:       Prefix of every path under /dev and /sys.
 * @wait:       Seconds to wait for functions that are not bound.
 * @json:       Print one JSON object instead of text.
 * @quiet:      Print errors, and the process that holds a session, only.
 * @verbose:    Print each function.
 * @background: Hold the session in a process of its own.
 * @force:      Abandon functions that are in use.
 * @session_fd: A session that the parent holds, or -1.
 */
struct options {
	const char *root;
	long wait;
	bool json;
	bool quiet;
	bool verbose;
	bool background;
	bool force;
	int session_fd;
};

extern struct options options;

/* output.c */

#define __printf(a, b)	__attribute__(( \
	format(printf, a, b)))

__printf(1, 2) void warn(const char *fmt, ...);
__printf(2, 3) enum status fail(enum status status, const char *fmt, ...);
__printf(1, 2) void say(const char *fmt, ...);
void say_holder(pid_t holder);

void json_open(const char *key, char bracket);
void json_close(char bracket);
void json_string(const char *key, const char *value);
void json_number(const char *key, unsigned long long value);
void json_bool(const char *key, bool value);
void json_finish(enum status status);
enum status output_finish(const char *command, enum status status);

void *memory_resize(void *memory, size_t nr, size_t size);

/* address.c */

/*
 * A function, and its token in a session. Copied from include/linux/kho/abi/pci.h,
 * which is not a UAPI header.
 */
typedef __u64 pci_ser_key_t;

#define PCI_SER_KEY(domain, bdf)	((pci_ser_key_t)(__u32)(domain) << 16 | (__u16)(bdf))
#define PCI_SER_KEY_DOMAIN(key)		((__u32)((key) >> 16))
#define PCI_SER_KEY_BDF(key)		((__u16)(key))

/* The longest address is ffffffff:ff:1f.7. */
#define ADDRESS_LEN	16
#define ADDRESS_SIZE	(ADDRESS_LEN + 1)

#define ADDRESS_MAX	PCI_SER_KEY(0xffffffff, 0xffff)

enum driver {
	DRIVER_NONE,
	DRIVER_STUB,
	DRIVER_VFIO,
};

/**
 * struct function - A PCI function.
 * @address: Its address.
 * @driver:  Driver that its file belongs to, or DRIVER_NONE if not known.
 * @fd:      Its file, or -1 if it is not open.
 */
struct function {
	pci_ser_key_t address;
	enum driver driver;
	int fd;
};

/**
 * struct function_list - Functions in the order they were added.
 * @items: The functions.
 * @nr:    Number of functions.
 * @size:  Number of allocated items.
 */
struct function_list {
	struct function *items;
	size_t nr;
	size_t size;
};

/* Functions of --fd, with the files of their user */
extern struct function_list user_functions;

const char *selection_parse(const char *text, pci_ser_key_t *address,
			    bool *vfs);
bool address_parse(const char *text, pci_ser_key_t *address);
int address_format(char text[ADDRESS_SIZE], pci_ser_key_t address);
int address_compare(const void *a, const void *b);
struct function *function_list_add(struct function_list *list,
				   pci_ser_key_t address);
bool function_list_find_twice(const struct function_list *list,
			      pci_ser_key_t *address);
void function_list_free(struct function_list *list);

/* function.c */

enum function_state {
	FUNCTION_ABSENT,
	FUNCTION_UNBOUND,
	FUNCTION_BOUND,
};

__printf(2, 3) void path_format(char *path, const char *fmt, ...);
enum status driver_check(void);
enum function_state function_state(struct function *function);
enum status function_add_vfs(pci_ser_key_t pf, struct function_list *list);
bool function_pf(pci_ser_key_t address, pci_ser_key_t *pf);
void function_explain(const struct function *function);
enum status function_open(const struct function *function, int *fd);

/* vfio.c */

/* Headers of older C libraries lack this */
#ifndef VFIO_DEVICE_BIND_IOMMUFD
#define VFIO_DEVICE_BIND_IOMMUFD	_IO(VFIO_TYPE, VFIO_BASE + 18)

struct vfio_device_bind_iommufd {
	__u32 argsz;
	__u32 flags;
	__s32 iommufd;
	__u32 out_devid;
};
#endif

const char *vfio_mode(pci_ser_key_t address);
enum status vfio_check_mode(pci_ser_key_t address);
enum status vfio_bind(pci_ser_key_t address, int fd);
enum status vfio_open(pci_ser_key_t address, int *fd);
enum status vfio_check_file(const struct function *function);

/* record.c */

enum record_side {
	RECORD_OUTGOING,
	RECORD_INCOMING,
	RECORD_NR_SIDES,
};

enum record_kind {
	RECORD_FUNCTION,
	RECORD_BRIDGE,
	RECORD_DAMAGED,
	RECORD_VF,
	RECORD_PF,
	RECORD_IMPLIED_PF,
	RECORD_NR_KINDS,
};

/**
 * struct record - A line of the list in debugfs.
 * @address: Address of the function.
 * @side:    Preserved for the next kernel, or by the previous one.
 * @kind:    Type of the device, or a damaged entry. An implied PF is only kept for
 *           its VFs.
 * @vendor:  Vendor ID.
 * @device:  Device ID.
 * @absent:  No device was found and adopted.
 * @blocked: Number of blocked writes to configuration space.
 */
struct record {
	pci_ser_key_t address;
	enum record_side side;
	enum record_kind kind;
	__u16 vendor;
	__u16 device;
	bool absent;
	unsigned long long blocked;
};

struct record_list {
	struct record *items;
	size_t nr;
	size_t size;
};

#define RECORD_ID_SIZE	sizeof("1234:11e8")

extern const char *const record_sides[RECORD_NR_SIDES];
extern const char *const record_kinds[RECORD_NR_KINDS];

const char *record_state(const struct record *record);
bool record_has_file(const struct record *record);
void record_id(const struct record *record, char text[RECORD_ID_SIZE]);
bool record_list_exists(void);
enum status record_list_read(struct record_list *list);
void record_list_free(struct record_list *list);

/* manifest.c */

/* No function can have this token, see ADDRESS_MAX. */
#define MANIFEST_TOKEN	(~0ULL)

enum status manifest_preserve(int session, const struct function_list *list);
int manifest_retrieve(int session, struct function_list *list);

/* luo.c */

enum status luo_create_session(const char *name, int *session);
enum status luo_retrieve_session(const char *name, int *session);
int luo_preserve_fd(int session, int fd, __u64 token);
int luo_retrieve_fd(int session, __u64 token);
int luo_finish(int session);

/* luo_sys.c */

int luo_sys_open(const char *path);
int luo_sys_ioctl(int fd, unsigned long request, void *arg);
int luo_sys_fdinfo(int fd, char *text, size_t size);
int luo_sys_write(const char *path, const char *text);

/* hold.c */

long long now_ms(void);
void stop_init(void);
void stop_exit(void);
bool stop_wait(int timeout_ms);
enum status hold_start(pid_t *holder);
bool hold_wait(pid_t holder);

/* command.c */

enum status command_execute(char **argv, int session,
			    const struct function_list *list);

/* abandon.c, list.c, preserve.c, retrieve.c */

enum status command_abandon(int argc, char **argv);
enum status command_list(int argc, char **argv);
enum status command_preserve(int argc, char **argv);
enum status command_retrieve(int argc, char **argv);
enum status command_finish(int argc, char **argv);

#endif /* _PCI_LIVEUPDATE_H */
