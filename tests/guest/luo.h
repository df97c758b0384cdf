/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls of LUO and memory for the programs of the scenarios. A call that fails ends
 * the program, unless its name begins with luo_try_ or try_: that returns -errno.
 */
#ifndef _GUEST_LUO_H
#define _GUEST_LUO_H

#include <linux/types.h>
#include <stddef.h>

/* The page of devices. The kernel may have larger ones. */
#define PAGE	4096

__u64 luo_call(int fd, unsigned long request, void *arg, const char *what);
int luo_create_session(const char *name);
int luo_retrieve_session(const char *name);
__u64 luo_finish_session(int session);
int luo_try_open(void);
int luo_try_create_session(int luo, const char *name);
int luo_try_retrieve_session(int luo, const char *name);
int luo_try_preserve_fd(int session, int fd, __u64 token);
int luo_try_finish_session(int session);
__u64 luo_preserve_fd(int session, int fd, __u64 token);
int luo_try_retrieve_fd(int session, __u64 token);
int luo_retrieve_fd(int session, __u64 token);

int try_kexec(void);
void at_step(const char *step);

int open_file(const char *path);
void *map(int fd, size_t size, int flags);
void *map_bar(const char *address, size_t size);
__u64 physical(const void *at);
__u64 dma_address(const void *at, const void *memory, __u64 iova);

#endif /* _GUEST_LUO_H */
