# Gatepost's build. `make` builds the optimised binary in build/release; see docs/hacking.md for the rest.
#
#   make MODE=release|asan|drill|fuzz|noseal [BUILD=folder] [target]
#
#   gatepost          the binary (default)            test-LAYER   the unit tests of one folder of src/
#   test              all unit tests                  fuzz-LAYER   its fuzz targets, built and replayed
#   replay            every fuzz corpus, replayed     src/X/Y.o    one object
#
# A folder of src/ is a layer. What it may include and link is said in DEPS_<layer> below, and nowhere else: a unit
# test links only its layer and those beneath it. Files find their layer by standing in it.

MODE  ?= release
BUILD ?= build/$(MODE)
CC     = gcc
V     ?= @

LAYERS := base config mail dns sieve seal ipc sandbox tls store smtp imap pop3 ledger keyholder directory \
          session registry delivery courier queue scribe resolver fetcher gatekeeper gate supervisor cli

DEPS_base       :=
DEPS_config     := base
DEPS_mail       := base
DEPS_dns        := base
DEPS_sieve      := mail base
DEPS_seal       := base
DEPS_ipc        := base
DEPS_sandbox    := config ipc base
DEPS_tls        := ipc base
DEPS_store      := seal mail base
DEPS_smtp       := mail base
DEPS_imap       := mail base
DEPS_pop3       := mail base
ROLE_DEPS       := ipc sandbox config base
DEPS_ledger     := $(ROLE_DEPS)
DEPS_keyholder  := tls seal mail $(ROLE_DEPS)
DEPS_directory  := seal mail $(ROLE_DEPS)
DEPS_session    := imap pop3 store seal mail $(ROLE_DEPS)
DEPS_registry   := session imap pop3 store seal mail $(ROLE_DEPS)
DEPS_delivery   := store seal mail $(ROLE_DEPS)
DEPS_queue      := dns store seal mail $(ROLE_DEPS)
DEPS_scribe     := mail dns $(ROLE_DEPS)
DEPS_fetcher    := mail dns $(ROLE_DEPS)
DEPS_resolver   := dns $(ROLE_DEPS)
DEPS_courier    := tls smtp mail dns $(ROLE_DEPS)
DEPS_gate       := tls smtp imap pop3 mail $(ROLE_DEPS)
DEPS_gatekeeper := gate tls smtp imap pop3 mail $(ROLE_DEPS)
DEPS_supervisor := $(ROLE_DEPS)
DEPS_cli        := supervisor gatekeeper gate courier queue scribe resolver fetcher delivery registry session directory keyholder ledger \
                   pop3 imap smtp store tls seal mail dns $(ROLE_DEPS)

PACKAGES := openssl libsodium sqlite3 libzstd zlib icu-uc icu-i18n libseccomp inih jansson
# (libunbound and libcurl are loaded by the one role that uses them: resolver/lookup.c, fetcher/web.c)
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS   := $(shell pkg-config --libs $(PACKAGES))

WARN := -Wall -Wextra -Werror -Wformat=2 -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes \
        -Wpointer-arith -Wwrite-strings -Wundef -Walloca
HARDEN := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -ftrivial-auto-var-init=zero -fstack-protector-strong \
          -fstack-clash-protection -fcf-protection=full -fno-delete-null-pointer-checks -fno-strict-overflow
LINK_HARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code

CFLAGS_release := -O2 -g $(HARDEN) -fzero-call-used-regs=used-gpr
CFLAGS_noseal  := $(CFLAGS_release) -DGATEPOST_NO_SEALING
CFLAGS_drill   := $(CFLAGS_release) -DGATEPOST_DRILL
CFLAGS_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all \
                  -ftrivial-auto-var-init=zero -DGATEPOST_ASAN -DGATEPOST_DRILL -DGATEPOST_FAULTS
CFLAGS_fuzz    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link \
                  -fno-sanitize-recover=all -DGATEPOST_ASAN
LDFLAGS_release := $(LINK_HARDEN)
LDFLAGS_noseal  := $(LINK_HARDEN)
LDFLAGS_drill   := $(LINK_HARDEN)
LDFLAGS_asan    := -fsanitize=address,undefined
LDFLAGS_fuzz    := -fsanitize=address,undefined
ifeq ($(MODE),fuzz)
CC := clang-14
endif

CFLAGS  := -std=gnu17 -D_GNU_SOURCE -Isrc $(WARN) -fPIE $(CFLAGS_$(MODE)) $(PKG_CFLAGS)
LDFLAGS := $(LDFLAGS_$(MODE))

# Files of a layer: src/<layer>/*.c and one folder below it; tests, fuzz targets and the main file apart.
sources  = $(filter-out %_test.c %_fuzz.c %/main.c,$(wildcard src/$1/*.c src/$1/*/*.c))
tests    = $(wildcard src/$1/*_test.c src/$1/*/*_test.c)
fuzzers  = $(wildcard src/$1/*_fuzz.c src/$1/*/*_fuzz.c)
objects  = $(patsubst %.c,$(BUILD)/%.o,$(call sources,$1))
libs     = $(foreach l,$1 $(DEPS_$1),$(BUILD)/lib$l.a)

ALL_TESTS   := $(foreach l,$(LAYERS),$(patsubst src/%.c,$(BUILD)/test/%,$(call tests,$l)))
ALL_FUZZERS := $(foreach l,$(LAYERS),$(patsubst src/%.c,$(BUILD)/fuzz/%,$(call fuzzers,$l)))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: gatepost test tests replay fuzzers analyse

gatepost: $(BUILD)/gatepost

VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

$(BUILD)/gatepost: $(BUILD)/src/cli/main.o $(foreach l,$(LAYERS),$(BUILD)/lib$l.a)
	@echo "  link  $@"
	$(V)$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(call libs,cli) -Wl,--end-group $(PKG_LIBS)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  cc    $<"
	$(V)$(CC) $(CFLAGS) -DGATEPOST_VERSION='"0.1.0"' -MMD -MP -c -o $@ $<

define layer_rules
$(BUILD)/lib$1.a: $(call objects,$1)
	@mkdir -p $$(@D)
	@rm -f $$@
	$(V)ar rcs $$@ $$^

$(BUILD)/test/$1/%: $(BUILD)/src/$1/%.o $(call libs,$1)
	@mkdir -p $$(@D)
	@echo "  link  $$@"
	$(V)$(CC) $(LDFLAGS) -o $$@ $$< -Wl,--start-group $(call libs,$1) -Wl,--end-group -lcmocka $(PKG_LIBS)

$(BUILD)/fuzz/$1/%: $(BUILD)/src/$1/%.o $(call libs,$1) $(if $(filter fuzz,$(MODE)),,$(BUILD)/test/fuzz_replay.o)
	@mkdir -p $$(@D)
	@echo "  link  $$@"
	$(V)$(CC) $(LDFLAGS) $(if $(filter fuzz,$(MODE)),-fsanitize=fuzzer) -o $$@ $$(filter %.o,$$^) \
	    -Wl,--start-group $(call libs,$1) -Wl,--end-group $(PKG_LIBS)

.PHONY: lib-$1 test-$1 replay-$1
lib-$1: $(call libs,$1)
test-$1: $(patsubst src/%.c,$(BUILD)/test/%,$(call tests,$1))
	@for t in $$^; do echo "  test  $$$$t"; $$$$t || exit 1; done
replay-$1: $(patsubst src/%.c,$(BUILD)/fuzz/%,$(call fuzzers,$1))
	@for t in $$^; do $$$$t $$$$(echo $$$$t | sed 's|.*/fuzz/|src/|; s|_fuzz$$$$|.corpus|') || exit 1; done
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rules,$l)))

test: $(foreach l,$(LAYERS),test-$l)
replay: $(foreach l,$(LAYERS),replay-$l)
fuzzers: $(ALL_FUZZERS)
tests: $(ALL_TESTS)

analyse:
	test/house/analyse

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
