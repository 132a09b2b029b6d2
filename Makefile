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

PACKAGES := libdpdk libzmq libprotobuf-c numa libsystemd
WARNINGS := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wvla \
	-Wformat=2 -Wundef -Wpointer-arith
OPTIMISE := $(if $(or $(DEBUG),$(SANITIZE)),-O1 -fno-omit-frame-pointer,-O3)
HARDENING := $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2 -fstack-protector-strong)
SAN_FLAGS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined)

# Only asked for by targets that compile: `make demo` and `make check` install them first.
pkg_cflags = $(shell pkg-config --cflags $(PACKAGES))
pkg_libs   = $(shell pkg-config --libs $(PACKAGES))

CPPFLAGS_OURS = -Isrc -I$(BUILD)/gen -D_GNU_SOURCE -DALLOW_EXPERIMENTAL_API \
	-DVERSION='"$(VERSION)"' $(PKG_CFLAGS)
CFLAGS_OURS = -std=gnu11 -g $(OPTIMISE) $(WARNINGS) $(HARDENING) $(SAN_FLAGS) -pthread
LDFLAGS_OURS = $(SAN_FLAGS) -pthread -Wl,--as-needed -Wl,-z,relro,-z,now

SOURCES := $(filter-out src/main.c,$(sort $(wildcard src/*/*.c)))
OBJECTS := $(SOURCES:src/%.c=$(BUILD)/obj/%.o)
MAIN_OBJECT := $(BUILD)/obj/main.o
PROTO_C := $(BUILD)/gen/virtioforwarder.pb-c.c
PROTO_OBJECT := $(BUILD)/obj/virtioforwarder.pb-c.o
PROTO_PYTHON := $(BUILD)/python/virtioforwarder/virtioforwarder_pb2.py
ARCHIVE := $(BUILD)/libvirtio-forwarder.a
BINARY  := $(BUILD)/virtio-forwarder
UNIT_TESTS := $(patsubst test/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard test/unit/test_*.c)))
TOOLS   := $(patsubst test/tools/%.c,$(BUILD)/tools/%,$(sort $(wildcard test/tools/*.c)))
MAN_PAGE := $(BUILD)/virtio-forwarder.8

.PHONY: all
all: $(BINARY) $(PROTO_PYTHON) $(MAN_PAGE)

# pkg-config once, not once an object; made again when a package changes its answer.
$(BUILD)/flags.mk: Makefile
	@mkdir -p $(@D)
	@pkg-config --exists --print-errors $(PACKAGES) || \
		{ echo "run scripts/install-build-deps first" >&2; exit 1; }
	@{ echo "PKG_CFLAGS := $$(pkg-config --cflags $(PACKAGES))"; \
	   echo "PKG_LIBS := $$(pkg-config --libs $(PACKAGES))"; } > $@
ifneq ($(filter-out help deps demo check clean format lint check-layers check-full,$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/flags.mk
endif

$(BUILD)/gen/%.pb-c.c $(BUILD)/gen/%.pb-c.h &: proto/%.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=proto --c_out=$(BUILD)/gen $<

$(PROTO_PYTHON): proto/virtioforwarder.proto
	@mkdir -p $(@D)
	protoc --proto_path=proto --python_out=$(@D) $<
	@touch $(@D)/__init__.py

# Generated code is not held to our warnings.
$(PROTO_OBJECT): $(PROTO_C) | $(BUILD)/flags.mk
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -g -O2 $(SAN_FLAGS) -I$(BUILD)/gen $(PKG_CFLAGS) -c $< -o $@

$(BUILD)/obj/%.o: src/%.c $(BUILD)/flags.mk | $(PROTO_C)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_OURS) $(CFLAGS_OURS) -MMD -MP -c $< -o $@

$(ARCHIVE): $(OBJECTS) $(PROTO_OBJECT)
	@rm -f $@
	$(AR) rcs $@ $^

$(BINARY): $(MAIN_OBJECT) $(ARCHIVE)
	$(CC) $(LDFLAGS_OURS) $^ -o $@ $(PKG_LIBS) -lrte_net_bond

$(MAN_PAGE): doc/virtio-forwarder.8.in $(BINARY)
	$(BINARY) --man < $< > $@

# A unit test names the functions that it replaces in a line `WRAP: name name …`.
wraps = $(foreach f,$(shell sed -n 's/.*WRAP: \([a-z0-9_ ]*\).*/\1/p' $(1) | head -n 5),-Wl,--wrap=$(f))
$(BUILD)/unit/%: test/unit/%.c $(ARCHIVE)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_OURS) -Itest/unit $(CFLAGS_OURS) -Wno-missing-prototypes -MMD -MP -MF $@.d \
		$< -o $@ $(call wraps,$<) $(LDFLAGS_OURS) $(ARCHIVE) $(PKG_LIBS) -lrte_net_bond \
		$$(pkg-config --libs check)

$(BUILD)/tools/%: test/tools/%.c $(BUILD)/flags.mk
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_OURS) $(CFLAGS_OURS) -MMD -MP -MF $@.d $< -o $@ $(LDFLAGS_OURS) $(PKG_LIBS)

.PHONY: tools unit-tests
tools: $(TOOLS)
unit-tests: $(UNIT_TESTS)

.PHONY: clean
clean:
	rm -rf build

-include $(OBJECTS:.o=.d) $(MAIN_OBJECT:.o=.d) $(UNIT_TESTS:=.d) $(TOOLS:=.d)
