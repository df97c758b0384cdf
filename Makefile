# SPDX-License-Identifier: GPL-2.0
#
# PCI live update: build, run and test. "make" lists the targets.

# How many preserved devices the guest of "make run" has.
DEVICES		?= 64
# How many VFs it preserves as well; if empty, half of the VFs of one PF.
VFS		?=
# The kernel that hands over, and the one that takes over.
FROM		?= 7.2
TO		?= 7.3
# Kernel trees to use instead of downloading: for TO and for FROM.
KERNEL_SRC	?=
KERNEL_SRC_OLD	?=
# The architecture of kernels and guest: x86_64 or arm64.
ARCH		?= x86_64
# The emulator, if it is not qemu-system-x86_64 or qemu-system-aarch64. It is never asked
# for KVM, which may be there and not work.
QEMU		?=
# Which tests to run, a shell pattern: make test TESTS='update-*'
TESTS		?= *
# make test: 1 runs those as well that are much like another one.
ALL		?=
# make test: 1 runs live updates of 7.2-base and 7.3-base with 7.3-debug.
DEBUG		?=
# make kunit: a pattern of suites.
SUITES		?= pci_liveupdate*
# make touch: a fault of the next kernel (none, renumber, move), and 1 to rely on the guard.
RECIPE		?= none
GUARD_ONLY	?=
# make soak: how many live updates, 100 if empty. make test: how often to run each test.
ROUNDS		?=
# make soak: the choices, random ones if empty.
SEED		?=
# make bench: only this order, such as random.
ORDER		?=
# make bench, make scale: 1 counts instructions instead of time.
COUNT		?=
# make series-to-git, series-from-git: the version of the kernel, TO if empty.
KERNEL		?=
# make series-to-git, series-from-git, check-series: a git repository of the kernel to
# use instead of one in the cache, and the commit there to begin at.
GIT		?=
BASE		?=
# 0 builds kernels without the patches of patches/independent.
INDEPENDENT	?= 1
# make bench: where to write the plots.
PLOTS		?=
# make fuzz: how many operations at random, and a thousandth as many damaged records;
# how long libFuzzer looks for other damaged records.
OPS		?= 200000000
FUZZ_SECONDS	?= 600
# make mutants: try one mutant in so many, instead of more than a hundred of each part.
EVERY		?=
# Where "make export" writes the series.
O		?= export
# 1 shows everything.
V		?= 0

export ARCH GIT BASE INDEPENDENT GUARD_ONLY RECIPE DEVICES VFS FROM TO SUITES KERNEL_SRC KERNEL_SRC_OLD QEMU TESTS ALL DEBUG ROUNDS SEED V EVERY COUNT KERNEL ORDER PLOTS

CACHE := $(or $(PCI_LIVEUPDATE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/pci-liveupdate)

.PHONY: help
help:
	@echo 'Usage: make TARGET [NAME=value ...]'
	@echo
	@echo '  run        boot $(FROM), preserve $(DEVICES) PCI devices, kexec into $(TO), check them'
	@echo '  test       the test suite'
	@echo '  test-debug live updates of the suite with lockdep, KASAN, UBSAN and kmemleak'
	@echo '  check      tests without a kernel: the index in user space, the tool, lint'
	@echo '  touch      trace writes to configuration space during a live update, stock and ours'
	@echo '  soak       $(or $(ROUNDS),100) live updates in a row in one machine, $(FROM) to $(TO) and back'
	@echo '  fuzz       $(OPS) random operations on the index, and damaged records: FUZZ_SECONDS=$(FUZZ_SECONDS)'
	@echo '  coverage   the lines of the index that its tests do not run'
	@echo '  scale      whole live updates of up to 65,536 functions, and the cost of a call'
	@echo '  bench      compare the index with other designs: tables and plots'
	@echo '  kunit      the KUnit suites, with kunit.py'
	@echo '  mutants    break the source in one place after another: a test must fail'
	@echo '  test-all   check, kunit, every test, test-debug, mutants, export, check-build, check-series'
	@echo '  check-build   compiler warnings and sparse, in both kernels'
	@echo '  check-series  build a kernel at each commit of the series'
	@echo '  shell      a shell in the guest that the tests boot'
	@echo '  lint       checkpatch, shellcheck, mypy, kernel-doc and more'
	@echo '  export     write the series to mail to $$O ($(O))'
	@echo '  series-to-git    branches of a git repository with each patch as a commit'
	@echo '  series-from-git  take the commits back into patches and overlay'
	@echo '  clean      remove the builds; distclean: the whole cache'
	@echo
	@echo '  DEVICES=$(DEVICES) VFS=$(VFS) FROM=$(FROM) TO=$(TO) V=$(V) (1: show everything)'
	@echo '  ARCH=$(ARCH) (or arm64, for run, test, soak and shell) QEMU=$(QEMU)'
	@echo '  KERNEL_SRC=, KERNEL_SRC_OLD=: kernel trees to use for TO and FROM'
	@echo '  PCI_LIVEUPDATE_CACHE=$(CACHE)'

.PHONY: run
run:
	@tests/run.sh

.PHONY: test
test:
	@tests/test.sh

.PHONY: test-debug
test-debug:
	@DEBUG=1 ALL=0 tests/test.sh '@(update|vfs|vfio|errors|access|refused|damage|soak)*'

.PHONY: touch
touch:
	@tests/touch.sh

.PHONY: soak
soak:
	@tests/soak.sh

.PHONY: fuzz
fuzz:
	@OPS=$(OPS) FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/check.sh index fuzz

.PHONY: coverage
coverage:
	@scripts/check.sh coverage

.PHONY: scale
scale:
	@tests/scale.sh

.PHONY: bench
bench:
	@tools/perf-scripts/bench/bench.sh

.PHONY: kunit
kunit:
	@tests/kunit.sh

.PHONY: mutants
mutants:
	@tests/mutants/mutants.sh

.PHONY: shell
shell:
	@tests/shell.sh

.PHONY: check
check:
	@scripts/check.sh

.PHONY: lint
lint:
	@scripts/lint.sh

.PHONY: check-build
check-build:
	@scripts/check-build.sh

.PHONY: check-series
check-series:
	@scripts/check-series.sh

.PHONY: test-all
test-all: ALL := 1
test-all: check check-build kunit test test-debug mutants export check-series

.PHONY: export
export:
	@scripts/export.sh '$(O)'

.PHONY: series-to-git
series-to-git:
	@scripts/series-to-git.sh '$(or $(KERNEL),$(TO))'

.PHONY: series-from-git
series-from-git:
	@scripts/series-from-git.sh '$(or $(KERNEL),$(TO))'

.PHONY: clean
clean:
	@scripts/clean.sh

.PHONY: distclean
distclean:
	@scripts/clean.sh --all

.DELETE_ON_ERROR:
