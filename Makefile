# virtio-forwarder: `make` builds, `make demo` shows, `make check` tests; `make help` lists it all.
# Knobs: SANITIZE=address,undefined or thread · DEBUG=1 · CC= · PREFIX= DESTDIR= for install.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:

VERSION := 1.0.0
BUILD   ?= build$(if $(SANITIZE),/sanitize-$(subst $(comma),-,$(SANITIZE)))
comma   := ,

CC      ?= gcc
PYTHON  := /usr/bin/python3
PREFIX  ?= /usr
DESTDIR ?=
bindir  ?= $(PREFIX)/bin
mandir  ?= $(PREFIX)/share/man
unitdir ?= $(PREFIX)/lib/systemd/system

# One short line a file; `make V=1` shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' '$(1)' '$(2)')

PACKAGES := libdpdk libzmq libprotobuf-c jansson numa libsystemd libmicrohttpd
WARNINGS := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wvla \
	-Wformat=2 -Wundef -Wpointer-arith
OPTIMISE := $(if $(or $(DEBUG),$(SANITIZE)),-O1 -fno-omit-frame-pointer,-O3)
HARDENING := $(if $(or $(SANITIZE),$(findstring _FORTIFY_SOURCE,$(CFLAGS) $(CPPFLAGS))),,-D_FORTIFY_SOURCE=2) \
	$(if $(SANITIZE),,-fstack-protector-strong)
# The thread sanitizer does not follow fences, and the compiler says so; ours are between guests and us.
SAN_FLAGS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined) \
	$(if $(filter thread,$(SANITIZE)),-Wno-tsan)

# Those of a distribution's packages come first: what the packet path was measured with holds.
CFLAGS  ?=
LDFLAGS ?=

# Of unit tests themselves, which are many and run once: most of their time is the compiler's.
UNIT_CFLAGS = $(CFLAGS) -std=gnu11 -g1 -O0 -U_FORTIFY_SOURCE $(WARNINGS) -Wno-missing-prototypes $(SAN_FLAGS) -pthread

# Each test is a process, at whose end the globals of all libraries are searched for leaks. The sanitizers'
# own, 12 MB that no one has touched, took most of that time; linked statically they are half as much.
UNIT_LDFLAGS := $(if $(filter address%,$(SANITIZE)),-static-libasan $(if $(findstring undefined,$(SANITIZE)),-static-libubsan))

# As many jobs as there are CPUs, unless whoever calls has said how many.
parallel_make = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

# Only asked for by targets that compile: `make demo` and `make check` install them first.
pkg_cflags = $(shell pkg-config --cflags $(PACKAGES))
pkg_libs   = $(shell pkg-config --libs $(PACKAGES))

CPPFLAGS_OURS = $(CPPFLAGS) -Isrc -I$(BUILD)/gen -D_GNU_SOURCE -DALLOW_EXPERIMENTAL_API \
	-DVERSION='"$(VERSION)"' $(PKG_CFLAGS)
CFLAGS_OURS = $(CFLAGS) -std=gnu11 $(if $(SANITIZE),-g1,-g) $(OPTIMISE) $(WARNINGS) $(HARDENING) $(SAN_FLAGS) -pthread
LDFLAGS_OURS = $(LDFLAGS) $(SAN_FLAGS) -pthread -Wl,--as-needed -Wl,-z,relro,-z,now

SOURCES := $(sort $(wildcard src/*/*.c src/*/*/*.c))
OBJECTS := $(SOURCES:src/%.c=$(BUILD)/obj/%.o)
MAIN_OBJECT := $(BUILD)/obj/main.o
PROTO_C := $(BUILD)/gen/virtioforwarder.pb-c.c
PROTO_OBJECT := $(BUILD)/obj/virtioforwarder.pb-c.o
PROTO_PYTHON := $(BUILD)/python/virtioforwarder/virtioforwarder_pb2.py
ARCHIVE := $(BUILD)/libvirtio-forwarder.a
BINARY  := $(BUILD)/virtio-forwarder
UNIT_TESTS := $(patsubst test/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard test/unit/*/test_*.c)))
TOOLS   := $(patsubst test/tools/%.c,$(BUILD)/tools/%,$(sort $(wildcard test/tools/*.c)))
BURST_COST := $(BUILD)/bench/burst_cost
MAN_PAGE := $(BUILD)/virtio-forwarder.8
SCRIPT_MODULES := clients/virtioforwarder_client.py clients/virtioforwarder_workers.py
SCRIPTS := $(filter-out $(SCRIPT_MODULES),$(wildcard clients/virtioforwarder_*.py))
SCRIPT_PAGES := $(SCRIPTS:clients/%.py=$(BUILD)/%.8)
CTL := clients/vio4wdctl
CTL_MODULES := $(wildcard clients/vio4wd/*.py clients/vio4wd/*.json)
CTL_PAGE := $(BUILD)/vio4wdctl.8

.PHONY: all
all: $(BINARY) $(PROTO_PYTHON) $(MAN_PAGE) $(SCRIPT_PAGES) $(CTL_PAGE)

# pkg-config once, not once an object; made again when a package changes its answer.
$(BUILD)/flags.mk: Makefile $(BUNDLED_DPDK:=/recipe)
	@mkdir -p $(@D)
	@pkg-config --exists --print-errors $(PACKAGES) || \
		{ echo "run scripts/install-build-deps first" >&2; exit 1; }
	@{ echo "PKG_CFLAGS := $$(pkg-config --cflags $(PACKAGES))"; \
	   echo "PKG_LIBS := $$($(if $(BUNDLED_DPDK),pkg-config --static --libs libdpdk && )pkg-config \
		--libs $(PACKAGES))" | tr '\n' ' '; echo; } > $@
NO_BUILD := help deps prove demo bench bench-scale bench-instructions fuzz bundled check-bundled check check-more check-full check-all check-vm check-deb check-distros rpm deb \
	clean distclean format lint lint-quick check-format check-scripts
ifneq ($(filter-out $(NO_BUILD),$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/flags.mk
endif

$(BUILD)/gen/%.pb-c.c $(BUILD)/gen/%.pb-c.h &: proto/%.proto
	@mkdir -p $(@D)
	$(call say,PROTO,$<)
	$(Q)protoc-c --proto_path=proto --c_out=$(BUILD)/gen $<

$(PROTO_PYTHON): proto/virtioforwarder.proto
	@mkdir -p $(@D)
	$(Q)protoc --proto_path=proto --python_out=$(@D) $<
	@touch $(@D)/__init__.py

# Generated code is not held to our warnings.
$(PROTO_OBJECT): $(PROTO_C) | $(BUILD)/flags.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu11 -g -O2 $(SAN_FLAGS) -I$(BUILD)/gen $(PKG_CFLAGS) -c $< -o $@

$(BUILD)/obj/%.o: src/%.c $(BUILD)/flags.mk | $(PROTO_C)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS_OURS) $(CFLAGS_OURS) -MMD -MP -c $< -o $@

$(ARCHIVE): $(OBJECTS) $(PROTO_OBJECT)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

$(BINARY): $(MAIN_OBJECT) $(ARCHIVE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_OURS) $^ -o $@ $(PKG_LIBS) -lrte_net_bond

$(MAN_PAGE): doc/virtio-forwarder.8.in $(BINARY)
	$(Q)$(BINARY) --man < $< > $@

$(SCRIPT_PAGES): $(BUILD)/%.8: clients/%.py $(SCRIPT_MODULES) scripts/make-man-page
	@mkdir -p $(@D)
	$(Q)$(PYTHON) scripts/make-man-page $< > $@

$(CTL_PAGE): $(CTL) $(CTL_MODULES) $(SCRIPT_MODULES) scripts/make-man-page
	@mkdir -p $(@D)
	$(Q)$(PYTHON) scripts/make-man-page $< > $@

# The functions that a unit test, or a fuzz target, or a rig of its, replaces.
wraps = $(shell test/unit/wraps $(1))
$(BUILD)/unit/%: test/unit/%.c $(ARCHIVE)
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(CPPFLAGS_OURS) -I. -Itest/unit/rig $(UNIT_CFLAGS) -MMD -MP -MF $@.d \
		$< -o $@ $(call wraps,$<) $(LDFLAGS_OURS) $(UNIT_LDFLAGS) $(ARCHIVE) $(PKG_LIBS) -lrte_net_bond \
		$$(pkg-config --libs check)

$(BUILD)/tools/%: test/tools/%.c $(BUILD)/flags.mk
	@mkdir -p $(@D)
	$(call say,TOOL,$@)
	$(Q)$(CC) $(CPPFLAGS_OURS) $(CFLAGS_OURS) -MMD -MP -MF $@.d $< -o $@ $(LDFLAGS_OURS) $(PKG_LIBS)

# As the daemon is linked, but for what it frees packets with.
$(BURST_COST): test/bench/burst_cost.c $(ARCHIVE)
	@mkdir -p $(@D)
	$(call say,BENCH,$@)
	$(Q)$(CC) $(CPPFLAGS_OURS) $(CFLAGS_OURS) -MMD -MP -MF $@.d $< -o $@ $(call wraps,$<) \
		$(LDFLAGS_OURS) $(ARCHIVE) $(PKG_LIBS) -lrte_net_bond

.PHONY: tools unit-tests check-unit
tools: $(TOOLS)
unit-tests: $(UNIT_TESTS)

# For packages: as any user, without hugepages, network or hardware.
check-unit: $(UNIT_TESTS)
	@printf '%s\n' $(UNIT_TESTS) | CK_TIMEOUT_MULTIPLIER=10 xargs -P "$$(nproc)" -I{} sh -c \
		'timeout 1200 {} > {}.log 2>&1 || { cat {}.log; echo "{} failed"; exit 1; }'
	@echo "$(words $(UNIT_TESTS)) passed, 0 failed"

# --- for users --------------------------------------------------------------------------------

.PHONY: help
help:
	@sed -n 's/^#: //p' Makefile

#: make              build build/virtio-forwarder
#: make demo         install what is missing, build, and show a guest's packets cross a relay
#: make bundled      build DPDK too, from the distribution's source, for 64 VFs: build/bundled/virtio-forwarder
#: make check-bundled  64 VFs and 64 guests on that (root or sudo)
#: make check        install what is missing, build, run the unit and functional tests (root or sudo)
#: make check-unit   the unit tests without sanitizers, as packages are built with
#: make check-more   what make check leaves out and CI does not: clang-tidy, tests that take long
#: make check-full   both, with the torture tests in their full counts
#: make check-all    before a release: all of these suites in full, and each fuzz target for a while
#: make check-deb    install, upgrade and purge the Debian package in a minimal Debian
#: make check-vm     the same on SR-IOV NICs that QEMU emulates, in a virtual machine (no root needed)
#: make check-distros  make demo, make check in a minimal Debian 12 and 13 (root or sudo; takes hours)
#: make bench        ratios to dpdk-testpmd and OVS-DPDK, measured in turns (root, 2 MB hugepages)
#: make bench-scale  what a packet costs, and whom, with one relay on 1, 2 and 4 workers
#: make bench-instructions  what the packet path executes for a burst, counted by callgrind
#: make prove        checks the models of test/prove exhaustively, with SPIN, and the walk of rings, with CBMC
#: make fuzz         each fuzz target for FUZZ_SECONDS (30), with clang; FUZZ_ONLY=config names one
#: make install      to $(DESTDIR)$(PREFIX)
#: make rpm          build/rpm/*.rpm
#: make deb          build/deb/*.deb
#: make lint         clang-format, clang-tidy, cppcheck, shellcheck, check-layers; make lint-quick without clang-tidy
#: make format       clang-format in place
#: make deps         install the packages that building, testing and the demo need
#: make clean        remove what was built, but for what takes long and has not changed: images, DPDK
#: make distclean    remove build/

.PHONY: deps
deps:
	scripts/install-build-deps --all

# These two are all that a newcomer has to type: they install, and build in a make of its own,
# since the flags are not known before the packages are there.
.PHONY: demo check check-more check-full check-all check-vm check-deb check-distros
demo:
	@scripts/install-build-deps --check --build --demo >/dev/null 2>&1 || \
		scripts/install-build-deps --build --demo
	@$(parallel_make) all
	@scripts/demo

check:
	@scripts/install-build-deps --check --build --test >/dev/null 2>&1 || \
		scripts/install-build-deps --build --test
	@$(parallel_make) all tools
	@test/run-checks

# What CI runs besides: clang-tidy over everything, and the tests that take longest.
check-more:
	@scripts/install-build-deps --check --build --test --monitoring >/dev/null 2>&1 || \
		scripts/install-build-deps --build --test --monitoring
	@$(parallel_make) all tools
	@test/run-checks --more

check-full:
	@scripts/install-build-deps --check --build --test --monitoring >/dev/null 2>&1 || \
		scripts/install-build-deps --build --test --monitoring
	@$(parallel_make) all tools
	@test/run-checks --full

# The slowest of all: hours on two CPUs.
check-all:
	@test/run-suites "make check-full" "make check-unit" "make demo" "make check-bundled" "make check-deb" \
		"make check-vm" $(if $(wildcard test/distros/run),"make check-distros") "make prove" "make fuzz"


# VM_TESTS are pytest's arguments: VM_TESTS="-m ci --flavour=numa" is what runs after each change, in one boot.
VM_TESTS ?=
check-vm:
	@scripts/install-build-deps --check --build --vm >/dev/null 2>&1 || \
		scripts/install-build-deps --build --vm
	@$(parallel_make) all tools
	@test/vm/run $(VM_TESTS)

check-deb:
	@scripts/install-build-deps --check --package >/dev/null 2>&1 || \
		scripts/install-build-deps --package
	@DEB_BUILD_OPTIONS=nocheck $(MAKE) --no-print-directory deb
	@test/deb/run

check-distros:
	@scripts/install-build-deps --check --distros >/dev/null 2>&1 || \
		scripts/install-build-deps --distros
	@test/distros/run

# With a DPDK of our own: static, and with ports for 64 relays. The distribution's holds 32. BUNDLED_MARCH
# (native) says which CPU it is for; BUNDLED_DRIVERS=test builds but those that check-bundled takes.
.PHONY: bundled check-bundled
BUNDLED := build/bundled
bundled:
	@scripts/install-build-deps --check --build --bundled >/dev/null 2>&1 || \
		scripts/install-build-deps --build --bundled
	@scripts/build-dpdk $(BUNDLED)/dpdk
	@PKG_CONFIG_PATH=$(BUNDLED)/dpdk/install/lib/pkgconfig $(parallel_make) \
		BUILD=$(BUNDLED) BUNDLED_DPDK=$(CURDIR)/$(BUNDLED)/dpdk $(BUNDLED)/virtio-forwarder

check-bundled: bundled
	@scripts/install-build-deps --check --build --test >/dev/null 2>&1 || \
		scripts/install-build-deps --build --test
	@$(parallel_make) all tools
	@test/run-checks --bundled

# BENCH_FLAGS are theirs, such as BENCH_FLAGS='--cells=vf-to-vm-64-* --peers=ovs'.
.PHONY: bench bench-scale bench-instructions
BENCH_FLAGS ?=
install_bench = scripts/install-build-deps --check --bench >/dev/null 2>&1 || scripts/install-build-deps --bench
bench:
	@$(install_bench)
	@$(parallel_make) all
	test/bench/bench.py $(BENCH_FLAGS)

bench-scale:
	@$(install_bench)
	@$(parallel_make) all tools
	test/bench/bench_scale.py $(BENCH_FLAGS)

bench-instructions:
	@$(install_bench)
	@$(parallel_make) $(BURST_COST)
	test/bench/count_instructions.py $(BENCH_FLAGS)

# --- keeping it clean -------------------------------------------------------------------------

C_FILES  := $(sort $(wildcard src/*.[ch] src/*/*.[ch] src/*/*/*.[ch] test/unit/*/*.[ch] test/tools/*.[ch] test/fuzz/*.[ch] \
	test/bench/*.[ch]))
SH_FILES := $(shell git ls-files 2>/dev/null | xargs -r grep -lE '^\#!(/usr)?/bin/(env )?(ba)?sh' 2>/dev/null)

.PHONY: format lint check-layers
format:
	@clang-format -i $(C_FILES)

# Arrows are read from the objects too.
check-layers: $(OBJECTS) $(MAIN_OBJECT)
	@test/check-layers --objects $(BUILD)/obj

# All of it, whatever fails, as many at a time as there are CPUs.
lint:
	@$(parallel_make) --keep-going --output-sync=target lint-quick tidy

# All but clang-tidy, which takes as long as compiling everything four times.
lint-quick:
	@$(parallel_make) --keep-going --output-sync=target check-layers check-format check-scripts

.PHONY: check-format check-scripts tidy
check-format:
	@test/format $(C_FILES)

check-scripts:
	@test/lint $(SH_FILES)

# clang-tidy, configured in .clang-tidy: what has not been compiled anew since is not looked at again.
TIDY := $(patsubst src/%.c,$(BUILD)/tidy/%,src/main.c $(SOURCES))
tidy: $(TIDY)
$(BUILD)/tidy/%: src/%.c $(BUILD)/obj/%.o .clang-tidy
	@mkdir -p $(@D)
	$(call say,TIDY,$<)
	$(Q)clang-tidy --quiet --warnings-as-errors='*' $< -- -std=gnu11 $(CPPFLAGS_OURS) 2> /dev/null
	@touch $@

# --- installation -----------------------------------------------------------------------------

# The reference's callers hard-code two directories: the scripts are in one, the other is a link.
scriptsdir     ?= $(PREFIX)/lib/virtio-forwarder
scriptslink    ?= $(PREFIX)/lib64/virtio-forwarder
completionsdir ?= $(PREFIX)/share/bash-completion/completions
datadir        ?= $(PREFIX)/share/virtio-forwarder
docdir         ?= $(PREFIX)/share/doc/virtio-forwarder
tmpfilesdir    ?= $(PREFIX)/lib/tmpfiles.d
sysusersdir    ?= $(PREFIX)/lib/sysusers.d
UNITS   := $(wildcard startup/*.service)
# to $(1), with mode $(2), the files $(3)
install_files = install -d $(DESTDIR)$(1) && install -m $(2) $(3) $(DESTDIR)$(1)

.PHONY: install
install: all
	$(call install_files,$(bindir),755,$(BINARY))
	$(call install_files,$(scriptsdir),755,$(SCRIPTS) $(CTL))
	$(call install_files,$(scriptsdir),644,$(SCRIPT_MODULES))
	$(call install_files,$(scriptsdir)/vio4wd,644,$(CTL_MODULES))
	ln -srfT $(DESTDIR)$(scriptsdir)/vio4wdctl $(DESTDIR)$(bindir)/vio4wdctl
	$(call install_files,$(scriptsdir),755,startup/virtio-forwarder-uio)
	$(call install_files,$(scriptsdir)/protobuf/virtioforwarder,644,\
		$(PROTO_PYTHON) $(dir $(PROTO_PYTHON))__init__.py)
	install -d $(DESTDIR)$(dir $(scriptslink))
	test -e $(DESTDIR)$(scriptslink) || \
		ln -srT $(DESTDIR)$(scriptsdir) $(DESTDIR)$(scriptslink)
	$(call install_files,$(mandir)/man8,644,$(MAN_PAGE) $(SCRIPT_PAGES) $(CTL_PAGE))
	$(call install_files,$(unitdir),644,$(UNITS))
	$(call install_files,$(datadir),644,startup/igb_uio.conf)
	install -D -m 644 startup/virtio-forwarder.tmpfiles $(DESTDIR)$(tmpfilesdir)/virtio-forwarder.conf
	install -D -m 644 startup/virtio-forwarder.sysusers $(DESTDIR)$(sysusersdir)/virtio-forwarder.conf
	install -D -m 644 clients/virtio-forwarder.bash-completion \
		$(DESTDIR)$(completionsdir)/virtio-forwarder
	install -m 644 clients/vio4wdctl.bash-completion $(DESTDIR)$(completionsdir)/vio4wdctl
	for script in $(notdir $(SCRIPTS)); do \
		ln -sf virtio-forwarder $(DESTDIR)$(completionsdir)/$$script; done
	test -e $(DESTDIR)/etc/default/virtioforwarder || \
		install -D -m 644 conf/virtioforwarder $(DESTDIR)/etc/default/virtioforwarder
	$(call install_files,$(docdir),644,README.md LICENSE CHANGELOG.md $(wildcard doc/*.md))
	$(call install_files,$(datadir)/monitoring,644,$(wildcard doc/monitoring/*))

# --- packages ---------------------------------------------------------------------------------

# From the tree as it stands, committed or not, and made anew only when something in it changes.
# RPM_FLAGS are rpmbuild's: with RPM_FLAGS=--nocheck the unit tests are not run.
TREE := $(shell git ls-files --cached --others --exclude-standard 2>/dev/null || \
	find . -path ./build -prune -o -type f -print)
TARBALL := build/virtio-forwarder-$(VERSION).tar.gz
RPM_FLAGS ?=

$(TARBALL): $(wildcard $(TREE))
	@mkdir -p $(@D)
	$(call say,TAR,$@)
	$(Q)tar --create --gzip --file=$@ --transform='s,^\(\./\)*,virtio-forwarder-$(VERSION)/,S' \
		--sort=name --owner=root:0 --group=root:0 $(wildcard $(TREE))

.PHONY: rpm deb
rpm: build/rpm/.made
	@:

build/rpm/.made: $(TARBALL)
	@grep -q '^Version: *$(VERSION)$$' rpm/virtio-forwarder.spec || \
		{ echo "rpm/virtio-forwarder.spec is not of version $(VERSION)" >&2; exit 1; }
	$(call say,RPM,build/rpm)
	$(Q)rpm/build build/rpm -ba --noclean $(RPM_FLAGS)
	@touch $@

# DEB_BUILD_OPTIONS=nocheck leaves out the unit tests.
deb: build/deb/.made
	@:

build/deb/.made: $(TARBALL)
	@head -n 1 debian/changelog | grep -qF '(1:$(VERSION)-' || \
		{ echo "debian/changelog is not of version $(VERSION)" >&2; exit 1; }
	$(call say,DEB,build/deb)
	@rm -rf build/deb
	@mkdir -p build/deb/work
	$(Q)tar -x -f $(TARBALL) -C build/deb/work
	$(Q)cd build/deb/work/virtio-forwarder-$(VERSION) && env -u MAKEFLAGS -u MAKELEVEL \
		dpkg-buildpackage -b -us -uc "-j$$(nproc)" > $(abspath build/deb.log) 2>&1 || \
		{ tail -n 50 $(abspath build/deb.log) >&2; exit 1; }
	@mv build/deb/work/*.deb build/deb/work/*.changes build/deb/work/*.buildinfo build/deb
	@rm -rf build/deb/work
	@touch $@

# Spared are what takes minutes to make and is made again when its recipe changes, and what was downloaded.
.PHONY: clean distclean
clean:
	rm -rf build/vm/next build/vm/results
	@[ ! -d build/bundled ] || find build/bundled -mindepth 1 -maxdepth 1 ! -name dpdk -exec rm -rf {} +
	@[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name bundled ! -name distros ! -name guest \
		! -name packages ! -name vm -exec rm -rf {} +

distclean:
	rm -rf build

-include $(OBJECTS:.o=.d) $(MAIN_OBJECT:.o=.d) $(UNIT_TESTS:=.d) $(TOOLS:=.d) $(BURST_COST:=.d)

# --- fuzzing ----------------------------------------------------------------------------------

# Each target of test/fuzz for a while, on objects that clang has instrumented. What it learns and
# what it breaks stays below build/fuzz; a file that broke something goes to test/fuzz/corpus, which
# `make check` replays. As many run at a time as there are CPUs; FUZZ_ONLY names some.
FUZZ_SECONDS ?= 30
FUZZ_ONLY    ?= $(patsubst test/fuzz/fuzz_%.c,%,$(sort $(wildcard test/fuzz/fuzz_*.c)))
FUZZ_BUILD   := $(BUILD)/fuzz

$(BUILD)/fuzz_%: test/fuzz/fuzz_%.c $(wildcard test/fuzz/*.h) $(ARCHIVE)
	$(call say,FUZZ,$@)
	$(Q)$(CC) $(CPPFLAGS_OURS) -I. -Itest/unit/rig $(CFLAGS_OURS) -fsanitize=fuzzer $< -o $@ \
		$(call wraps,$<) $(LDFLAGS_OURS) $(ARCHIVE) $(PKG_LIBS) -lrte_net_bond

# What sampling cannot show: each interleaving of a model, each value that a guest can write. Minutes.
.PHONY: prove
prove:
	@scripts/install-build-deps --check --prove >/dev/null 2>&1 || scripts/install-build-deps --prove
	@test/prove/run

.PHONY: fuzz
fuzz:
	@scripts/install-build-deps --check --fuzz >/dev/null 2>&1 || scripts/install-build-deps --fuzz
	@$(parallel_make) CC=clang WARNINGS= BUILD=$(FUZZ_BUILD) \
		SANITIZE=fuzzer-no-link,address,undefined $(FUZZ_ONLY:%=$(FUZZ_BUILD)/fuzz_%)
	@mkdir -p $(FUZZ_ONLY:%=$(FUZZ_BUILD)/corpus/%)
	@printf '%s\n' $(FUZZ_ONLY) | xargs -P "$$(nproc)" -I{} sh -c \
		'$(FUZZ_BUILD)/fuzz_{} -max_total_time=$(FUZZ_SECONDS) -timeout=60 -print_final_stats=1 \
			-artifact_prefix=$(FUZZ_BUILD)/{}- $(FUZZ_BUILD)/corpus/{} \
			test/fuzz/corpus/{} > $(FUZZ_BUILD)/{}.log 2>&1 || \
			{ tail -n 60 $(FUZZ_BUILD)/{}.log; echo "{} failed"; exit 1; }; \
		echo "  {}: $$(sed -n "s/^stat::number_of_executed_units: */executions: /p" $(FUZZ_BUILD)/{}.log)"'
	@echo "$(words $(FUZZ_ONLY)) passed, 0 failed"

# --- the balancer, simulated ------------------------------------------------------------------

#: make sim          the balancer on made-up loads: a table, and build/sim/load.svg
.PHONY: sim
sim: $(BUILD)/sim/simulate
	$(BUILD)/sim/simulate $(BUILD)/sim

BALANCER_OBJECTS := $(filter $(BUILD)/obj/balancer/%,$(OBJECTS))
$(BUILD)/sim/simulate: test/sim/simulate.c test/sim/traces.h $(BALANCER_OBJECTS)
	@mkdir -p $(@D)
	$(call say,SIM,$@)
	$(Q)$(CC) $(CPPFLAGS_OURS) $(CFLAGS_OURS) $< -o $@ $(BALANCER_OBJECTS) $(LDFLAGS_OURS) -lm
