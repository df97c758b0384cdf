/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls in which one allocation of the kernel fails.
 */
#ifndef _GUEST_FAULTS_H
#define _GUEST_FAULTS_H

#include <stdbool.h>

void faults_init(void);
bool fault_in_call(unsigned int n, int (*call)(void *arg), void *arg, int *ret);
void fail_allocations_of(const char *function);
long kho_pages(bool print);

#endif /* _GUEST_FAULTS_H */
