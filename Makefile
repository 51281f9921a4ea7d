# ngx_referral_module.  "make help" lists the targets.
#
# All that is made lies below build/ and run/.  "make run" and "make test"
# install what is missing; the other targets say what they lack.

ifneq ($(words $(CURDIR)),1)
$(error nginx cannot be built below a path with spaces: $(CURDIR))
endif

MAKEFLAGS += --no-print-directory

CC = gcc
CFLAGS ?= -O2
PORT ?= 8088
DESTDIR ?=
PREFIX ?= /usr/local
MODULES_DIR ?= /usr/lib/nginx/modules
PROVE_FLAGS ?= -j2

WARNINGS = -std=gnu11 -Wall -Wextra -Werror -Wpointer-arith \
           -Wno-unused-parameter
INCLUDES = -I ngx_referral_module/core -I ngx_referral_module/cli \
           -I tests/support
LIBS = -llmdb -lpcre2-8 -lidn2 -ljansson -lpthread
SANITIZE = -fsanitize=address,undefined,float-cast-overflow \
           -fno-sanitize-recover=all -fno-omit-frame-pointer

# Variants of every object: build/plain/, build/sanitized/, build/fuzz/.

plain_cc = $(CC)
plain_flags = $(CPPFLAGS) $(CFLAGS)
plain_link = $(LDFLAGS)
sanitized_cc = $(CC)
sanitized_flags = -O1 $(SANITIZE)
fuzz_cc = clang
fuzz_flags = -O1 -fsanitize=fuzzer-no-link $(SANITIZE)

core = $(wildcard ngx_referral_module/core/*.c)
cli = $(wildcard ngx_referral_module/cli/*.c)
support = $(wildcard tests/support/*.c)
unit = $(wildcard tests/unit/*.c)
helper = $(wildcard tests/programs/*.c)
preload = $(wildcard tests/preload/*.c)
fuzz = $(filter-out tests/fuzz/fuzz%,$(wildcard tests/fuzz/*.c))
fuzz_support = $(wildcard tests/fuzz/fuzz*.c)
failing = $(wildcard tests/failing/*.c)

manuals = $(patsubst man/%.in,build/man/%,$(wildcard man/*.in))

comma := ,
objects = $(patsubst %.c,build/$(1)/%.o,$(2))
programs = $(patsubst tests/unit/%.c,build/$(1)/unit/%,$(unit))
helpers = $(patsubst tests/programs/%.c,build/plain/programs/%,$(helper)) \
          $(patsubst tests/%.c,build/plain/%.so,$(preload)) \
          build/plain/bench/core

cores := $(shell nproc 2>/dev/null || echo 2)
jobs = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(cores))


.PHONY: help run stop test unit browser lint module cli man asan valgrind \
        bench bench-full portability picture deb fuzz model analyze coverage \
        install clean FORCE

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' \
	    Makefile
	@echo
	@echo "PORT=N             the demo's port, default $(PORT)"
	@echo "NGINX_SRC=DIR      build against another configured nginx tree"
	@echo "SUITES=...         Debians that portability tries, default trixie sid"
	@echo "MAINLINE=DIR       and nginx's own source, which it tries on sid"
	@echo "DESTDIR= PREFIX= MODULES_DIR=   where install puts things"
	@echo "FUZZ_SECONDS=N     of make fuzz, all targets together, default 3600"
	@echo "COVERAGE_TESTS=    of make coverage, default t/"
	@echo "PROVE_FLAGS=       options of prove, default $(PROVE_FLAGS)"

run:  ## installs what is missing, builds, starts a demo nginx on 127.0.0.1
	@tools/install-deps run
	@$(MAKE) $(jobs) module cli
	@tools/demo start "$(PORT)"

stop:  ## stops the demo
	@tools/demo stop

test:  ## installs what is missing, builds, runs every test
	@tools/install-deps test
	@$(MAKE) $(jobs) module cli build/plain/units build/sanitized/units \
	    build/plain/helpers build/fuzz/all build/failing/failing \
	    build/race/counters
	@failed=; \
	 tools/run-units $(call programs,plain) $(call programs,sanitized) \
	     || failed="$$failed unit tests"; \
	 tools/fuzz smoke || failed="$$failed tests/fuzz/"; \
	 DEB_BUILD_OPTIONS=nocheck tools/build-deb \
	     || failed="$$failed packages"; \
	 prove $(PROVE_FLAGS) -r t/ || failed="$$failed t/"; \
	 $(MAKE) browser || failed="$$failed tests/browser/"; \
	 tools/give-back; \
	 [ -z "$$failed" ] || { echo "FAILED:$$failed"; exit 1; }

unit:  ## the tests of core alone
	@$(MAKE) $(jobs) build/plain/units build/sanitized/units
	@tools/run-units $(call programs,plain) $(call programs,sanitized)

browser: module cli build/plain/helpers build/browser/installed  ## what Chromium sends, counted
	@node --test $(wildcard tests/browser/*.test.mjs)

picture: build/browser/installed  ## docs/dashboard.png, of made-up links
	@node tests/browser/picture.mjs

lint: module  ## the rules of the code, and clang
	@prove -v t/01-style.t

module:  ## build/ngx_http_referral_module.so
	@NGINX_SRC="$(NGINX_SRC)" tools/build-module dynamic
	@tools/give-back

cli: build/referralctl  ## build/referralctl
	@tools/give-back

man: $(manuals)  ## build/man/, the manual pages
	@tools/give-back

asan:  ## all tests, nginx too under ASan and UBSan
	@$(MAKE) $(jobs) module cli build/sanitized/referralctl \
	    build/sanitized/units build/asan/nginx build/plain/helpers \
	    build/failing/failing build/race/counters
	@failed=; \
	 tools/run-units $(call programs,sanitized) \
	     || failed="$$failed unit tests"; \
	 TEST_NGINX_BINARY=$(CURDIR)/build/asan/nginx TEST_NGINX_MODULE= \
	 TEST_REFERRALCTL=$(CURDIR)/build/sanitized/referralctl \
	     tools/sanitized prove $(PROVE_FLAGS) -r t/ \
	     || failed="$$failed t/"; \
	 tools/give-back; \
	 [ -z "$$failed" ] || { echo "FAILED:$$failed"; exit 1; }

valgrind: build/plain/units  ## the tests of core under valgrind
	@VALGRIND=1 tools/run-units $(call programs,plain)

portability: module cli build/plain/helpers  ## other nginxes, Debians, compilers
	@failed=0; \
	 NGINX_SRC="$$(tools/fetch-nginx)" VARIANTS_FULL=static tools/variants \
	     || failed=1; \
	 MAINLINE= tools/portability $(SUITES) || failed=1; \
	 [ -z "$(MAINLINE)" ] || MAINLINE="$(MAINLINE)" tools/portability sid \
	     || failed=1; \
	 exit $$failed

model:  ## the counter file's protocols, in all orders of their steps
	@tools/model

fuzz: build/fuzz/all  ## looks for inputs that break something, FUZZ_SECONDS in all
	@tools/fuzz long

analyze: module  ## gcc -fanalyzer, clang-tidy and cppcheck over all of it
	@tools/analyze

coverage:  ## which lines the tests of core and t/ run
	@$(MAKE) $(jobs) module cli build/coverage/units \
	    build/coverage/referralctl build/coverage/failing \
	    build/plain/helpers build/failing/failing build/race/counters
	@tools/build-module coverage
	@tools/coverage run $(call programs,coverage) build/coverage/failing

bench: module cli build/plain/helpers  ## speed and size against the goals, some minutes
	@bench/run

bench-full: module cli build/plain/helpers  ## the same up to 10,000,000 links, 12 minutes and 8 GB
	@bench/run --full

deb:  ## Debian packages in build/deb/, looked at by lintian
	@tools/build-deb
	@tools/give-back

install: module cli man  ## DESTDIR, PREFIX and MODULES_DIR say where
	@tools/install-file 644 build/ngx_http_referral_module.so \
	    "$(DESTDIR)$(MODULES_DIR)"
	@tools/install-file 755 build/referralctl "$(DESTDIR)$(PREFIX)/bin"
	@tools/install-file 644 build/man/referralctl.1 \
	    "$(DESTDIR)$(PREFIX)/share/man/man1"
	@tools/install-file 644 build/man/ngx_http_referral_module.7 \
	    "$(DESTDIR)$(PREFIX)/share/man/man7"
	@tools/install-file 644 share/referralctl.bash-completion \
	    "$(DESTDIR)$(PREFIX)/share/bash-completion/completions" referralctl

clean:  ## removes all that was made, stops the demo
	@tools/demo stop
	rm -rf build run


build/referralctl: build/plain/referralctl
	@cp $< $@.new
	@mv $@.new $@
	@echo built $@

build/man/%: man/%.in tools/make-man build/referralctl docs/directives.md \
             docs/api.md
	@mkdir -p $(@D)
	@tools/make-man $< > $@.new
	@mv $@.new $@
	@echo built $@

build/asan/nginx: FORCE
	@tools/build-module static

build/browser/installed: tests/browser/package.json \
                         tests/browser/package-lock.json
	@mkdir -p $(@D)
	@cp $^ $(@D)
	@cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

build/plain/units: $(call programs,plain)
	@touch $@

build/plain/helpers: $(helpers)
	@touch $@

build/sanitized/units: $(call programs,sanitized)
	@touch $@

# Nothing of LMDB may be looked for before it is there.

build/plain/preload/%.so: tests/preload/%.c Makefile
	@mkdir -p $(@D)
	@$(CC) $(WARNINGS) -g $(plain_flags) -fPIC -shared -o $@ $< \
	    -Wl,--no-as-needed -llmdb -ldl


# $(1): variant

define variant_rules

build/$(1)/%.o: %.c Makefile
	@mkdir -p $$(@D)
	@$$($(1)_cc) $$(WARNINGS) -g $$($(1)_flags) $$(INCLUDES) -MMD -MP -c \
	    -o $$@ $$<

# cmocka 2 warns of what cmocka 1 has no other name for.

build/$(1)/tests/%.o: WARNINGS += -Wno-deprecated-declarations

build/$(1)/referralctl: $$(call objects,$(1),$$(core) $$(cli))
	@$$($(1)_cc) $$($(1)_flags) $$($(1)_link) -o $$@ $$^ $$(LIBS)

build/$(1)/programs/%: build/$(1)/tests/programs/%.o \
                       $$(call objects,$(1),$$(core))
	@mkdir -p $$(@D)
	@$$($(1)_cc) $$($(1)_flags) $$($(1)_link) -o $$@ $$^ $$(LIBS)

build/$(1)/bench/%: build/$(1)/bench/%.o $$(call objects,$(1),$$(core))
	@mkdir -p $$(@D)
	@$$(CC) $$($(1)_flags) $$($(1)_link) -o $$@ $$^ $$(LIBS)

build/$(1)/unit/%: build/$(1)/tests/unit/%.o \
                   $$(call objects,$(1),$$(support) $$(core))
	@mkdir -p $$(@D)
	@$$($(1)_cc) $$($(1)_flags) $$($(1)_link) -o $$@ $$^ -lcmocka $$(LIBS)

-include $$(patsubst %.o,%.d, \
    $$(call objects,$(1),$$(core) $$(cli) $$(support) $$(unit) \
                             $$(helper) bench/core.c))

endef

$(eval $(call variant_rules,plain))
$(eval $(call variant_rules,sanitized))
$(eval $(call variant_rules,fuzz))


# The target for import runs the command, whose main() gets another name.

cli_main = ngx_referral_module/cli/main
command_parts = $(core) $(filter-out $(cli_main).c,$(cli))

build/%/referralctl_main.o: build/%/$(cli_main).o
	@objcopy --redefine-sym main=referralctl_main $< $@

build/fuzz/targets/%: build/fuzz/tests/fuzz/%.o \
                      $(call objects,fuzz,$(fuzz_support) $(core))
	@mkdir -p $(@D)
	@$(fuzz_cc) $(fuzz_flags) -fsanitize=fuzzer -o $@ $^ $(LIBS)

build/fuzz/targets/import: build/fuzz/tests/fuzz/import.o \
                      $(call objects,fuzz,$(fuzz_support) $(command_parts)) \
                      build/fuzz/referralctl_main.o
	@mkdir -p $(@D)
	@$(fuzz_cc) $(fuzz_flags) -fsanitize=fuzzer -o $@ $^ $(LIBS)

build/fuzz/all: $(patsubst tests/fuzz/%.c,build/fuzz/targets/%,$(fuzz))
	@touch $@

-include $(patsubst %.o,%.d,$(call objects,fuzz,$(fuzz) $(fuzz_support)))


# Core, with tests/failing/fail.c between it and all that may say no to it.
# Calls are calls, each is there once, and addresses are those of the file:
# tools/failing-sites.

wrapped = malloc calloc realloc strdup mmap open fstat stat lstat statfs mkdir \
          mkostemp link unlink rename renameat2 fchmod fchown ftruncate \
          fallocate posix_fallocate flock fcntl fsync faccessat statvfs \
          memfd_create eventfd read write pread pwrite getrandom \
          pthread_create mdb_env_create \
          mdb_env_set_maxreaders mdb_env_set_maxdbs mdb_env_set_mapsize \
          mdb_env_open mdb_env_get_fd mdb_env_stat mdb_env_info \
          mdb_env_copyfd2 mdb_reader_check mdb_txn_begin mdb_txn_renew \
          mdb_txn_commit mdb_dbi_open mdb_dbi_flags mdb_stat mdb_get mdb_put \
          mdb_del mdb_cursor_del mdb_cursor_open mdb_cursor_get \
          mdb_cursor_put \
          pcre2_match_context_create_8 pcre2_match_data_create_8 \
          pcre2_compile_8 pcre2_jit_compile_8 pcre2_pattern_info_8 \
          pcre2_match_8 json_loadb idn2_to_ascii_8z access dup mkdirat \
          openat renameat fdopendir opendir readdir fopen fdopen fread fflush \
          fclose strndup reallocarray

# gcc's own warning is right that fences are not seen: clang has none.

race_cc = clang
race_flags = -O1 -fsanitize=thread

$(eval $(call variant_rules,race))

build/race/counters: $(call objects,race,tests/race/counters.c $(core))
	@$(race_cc) $(race_flags) -o $@ $^ $(LIBS)

-include build/race/tests/race/counters.d


coverage_cc = $(CC)
coverage_flags = -O0 --coverage -fprofile-update=atomic

$(eval $(call variant_rules,coverage))

build/coverage/units: $(call programs,coverage)
	@touch $@

failing_cc = $(CC)
failing_flags = -O1 -fno-inline -fno-optimize-sibling-calls -fno-pie \
                $(SANITIZE)

$(eval $(call variant_rules,failing))

wraps = $(patsubst %,-Wl$(comma)--wrap=%,$(wrapped))

build/failing/failing: $(call objects,failing,$(failing) $(command_parts)) \
                       build/failing/referralctl_main.o
	@$(CC) $(failing_flags) -no-pie $(wraps) -o $@ $^ $(LIBS)

build/coverage/failing: $(call objects,coverage,$(failing) $(command_parts)) \
                        build/coverage/referralctl_main.o
	@$(CC) $(coverage_flags) $(wraps) -o $@ $^ $(LIBS)

-include $(patsubst %.o,%.d,$(call objects,failing,$(failing)))


.SECONDARY:
