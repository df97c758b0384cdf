/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The checksums of a record, bit by bit: the oracle for those of the index, which
 * uses the CRC functions of the kernel. Shared by the KUnit tests, the user-space
 * tests and the program that damages a record in a virtual machine.
 */

#ifndef _LIB_TEST_PCI_LIVEUPDATE_CHECKSUM_H
#define _LIB_TEST_PCI_LIVEUPDATE_CHECKSUM_H

#include <linux/kho/abi/pci.h>
#include <linux/types.h>

/* The remainder by a polynomial with its bits in the reverse order. */
static inline u32 test_crc(u32 polynomial, u32 crc, const void *data, size_t size)
{
	const u8 *bytes = data;

	for (size_t bit = 0; bit < 8 * size; bit++) {
		crc ^= bytes[bit / 8] >> bit % 8 & 1;
		crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
	}

	return crc;
}

/* x^32 + x^28 + x^27 + x^26 + x^25 + x^23 + x^22 + x^20 + x^19 + x^18 + ... */
static inline u32 test_crc32c(const void *data, size_t size)
{
	return test_crc(0x82f63b78, 0xffffffff, data, size);
}

/* x^8 + x^4 + x^3 + x^2 + 1; 15 bytes of an entry or of a state follow the key. */
static inline u8 test_crc8(u8 start, pci_ser_key_t key, const void *ser)
{
	u8 crc = test_crc(0xb8, start, &key, 6);

	return test_crc(0xb8, crc, ser, 15);
}

static inline u32 test_root_checksum(const struct pci_ser *root)
{
	return test_crc32c(root, 28);
}

static inline u32 test_segment_checksum(const struct pci_segment_ser *seg)
{
	return test_crc32c(seg, 24);
}

static inline u8 test_entry_checksum(pci_ser_key_t key,
				     const struct pci_function_ser *entry)
{
	return test_crc8(0xff, key, entry);
}

static inline u8 test_sriov_checksum(pci_ser_key_t key,
				     const struct pci_sriov_ser *sriov)
{
	return test_crc8(0x55, key, sriov);
}

#endif /* _LIB_TEST_PCI_LIVEUPDATE_CHECKSUM_H */
