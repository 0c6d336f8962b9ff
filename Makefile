# nsshell: build, install, test. See README.md.
#
#   make                  build the product
#   sudo make install     PREFIX=/usr DESTDIR= PAMDIR=(where pam_unix.so lies)
#   sudo make uninstall
#   sudo make demo        two logins, side by side, without and with nsshell
#   make check            format, lints and all tests that need no root
#   sudo make e2e         AREA=gate: the end-to-end tests of one area, or all
#   sudo make test        everything that can be checked
#   sudo make bench       what a session costs
#   sudo make scale       what 50,000 accounts and 10,000 rules cost one
#   sudo make soak        SOAK_LOGINS=100000 opened and closed, and what has grown by it
#   sudo make vm          VM_SUITES="bookworm trixie forky" VM_PAYLOADS=  on whole systems, in an emulator
#   make fuzz             FUZZ_SECONDS=600 for each parser: policy, subid, import
#   make lint | deps | clean

PREFIX  ?= /usr
DESTDIR ?=
BINDIR     = $(PREFIX)/bin
SBINDIR    = $(PREFIX)/sbin
LIBEXECDIR = $(PREFIX)/libexec/nsshell
# where the built-in profiles look, and the policies of packages, whatever the prefix
LIBDIR     = /usr/lib/nsshell
DOCDIR     = $(PREFIX)/share/doc/nsshell
MANDIR     = $(PREFIX)/share/man
SHAREDIR   = $(PREFIX)/share
PAMDIR    ?= $(shell packaging/pam-dir)
# pam-auth-update reads no other directory, whatever the prefix; systems without it get no file
PAMCONFIGS ?= $(wildcard /usr/share/pam-configs)

TARGET_DIR    := $(abspath $(or $(CARGO_TARGET_DIR),target))
NSSHELL_BUILD ?= $(TARGET_DIR)/release
# sections are what comes after the last dot
MAN_PAGES      = $(notdir $(wildcard packaging/man/*.[158]))
man_path       = $(MANDIR)/man$(subst .,,$(suffix $(1)))/$(1)

# where each shell looks for what comes after `nsctl`
BASH_COMPLETION = $(SHAREDIR)/bash-completion/completions/nsctl
ZSH_COMPLETION  = $(SHAREDIR)/zsh/site-functions/_nsctl
FISH_COMPLETION = $(SHAREDIR)/fish/vendor_completions.d/nsctl.fish
# not by a pipe alone: an nsctl that fails must fail the installation
install_completion = text=$$('$(NSSHELL_BUILD)/nsctl' completions $(1)) && \
  printf '%s\n' "$$text" | install -D -m 644 /dev/stdin '$(DESTDIR)$(2)'

# Under sudo the toolchain is the invoking user's, and so must the files of the build be: what root
# left in target/ that user could neither rebuild nor delete. Only the tests themselves run as root.
INVOKER := $(filter-out root,$(SUDO_USER))
ifneq ($(INVOKER),)
  INVOKER := $(shell runuser -u $(INVOKER) -- test -w . && echo $(INVOKER))
endif
OWNER_HOME := $(if $(INVOKER),$(shell getent passwd $(INVOKER) | cut -d: -f6),$(HOME))
# sudo cuts PATH and the environment: look where rustup and its container images put things
RUST_HOME  := $(if $(RUSTUP_HOME),,$(if $(wildcard $(OWNER_HOME)/.rustup),,$(wildcard /usr/local/rustup)))
RUST_ENV   := HOME='$(OWNER_HOME)' \
  PATH='$(PATH):$(or $(CARGO_HOME),$(OWNER_HOME)/.cargo)/bin:/usr/local/cargo/bin' \
  $(if $(RUST_HOME),RUSTUP_HOME='$(RUST_HOME)') \
  NSSHELL_LIBEXECDIR='$(LIBEXECDIR)' NSSHELL_BINDIR='$(BINDIR)'
# as the owner of the files, and as who runs make
CARGO         = $(if $(INVOKER),runuser -u $(INVOKER) -- )env $(RUST_ENV) cargo
CARGO_AS_ROOT = env $(RUST_ENV) NSSHELL_BUILD='$(NSSHELL_BUILD)' cargo

# says what is run without the environment, which is long
cargo = echo 'cargo $(1)'; $(CARGO) $(1)

.PHONY: check e2e vm fuzz test-fuzz all build install install-files uninstall test test-install bench scale soak demo lint deps clean need-cargo
.NOTPARALLEL:

all: build

need-cargo:
	@$(CARGO) --version >/dev/null 2>&1 || { \
	  echo 'make: no cargo; install Rust 1.88 or later for $(or $(INVOKER),this user)' >&2; exit 1; }

# The module by itself: built together with the rest, it would get the features, and so the code,
# that the others want of the crates they share, and it lives in sshd.
# The gate by itself, since it has no standard library, and so cannot unwind.
GATE = --features program --config 'profile.release.panic="abort"'
build: need-cargo
	@$(call cargo,build --release --locked -p pam_nsshell)
	@$(call cargo,build --release --locked --bins -p nsshell-session -p nsshell -p nsctl)
	@$(call cargo,build --release --locked -p nsshell-gate $(GATE))

# Older versions have listed nsshell in /etc/shells, by which `su -s` of another user passes it by.
install: build install-files
	@[ -n '$(DESTDIR)' ] || packaging/shells remove '$(BINDIR)/nsshell'
	@echo 'installed; nothing has changed for any login yet: see $(DOCDIR)/pam.d-example'

# 0711: what a user cannot read, the user's other processes cannot look into while it runs with
# another user's terminal.
install-files:
	@[ -n '$(PAMDIR)' ]
	install -D -m 644 '$(NSSHELL_BUILD)/libpam_nsshell.so' '$(DESTDIR)$(PAMDIR)/pam_nsshell.so'
	install -D -m 755 '$(NSSHELL_BUILD)/session-init' '$(DESTDIR)$(LIBEXECDIR)/session-init'
	install -D -m 755 '$(NSSHELL_BUILD)/standalone' '$(DESTDIR)$(LIBEXECDIR)/standalone'
	install -D -m 711 '$(NSSHELL_BUILD)/relay' '$(DESTDIR)$(LIBEXECDIR)/relay'
	install -D -m 711 '$(NSSHELL_BUILD)/nsshell' '$(DESTDIR)$(BINDIR)/nsshell'
	install -D -m 755 '$(NSSHELL_BUILD)/nsctl' '$(DESTDIR)$(SBINDIR)/nsctl'
	install -D -m 644 packaging/nsshell.toml '$(DESTDIR)$(DOCDIR)/nsshell.toml.example'
	install -D -m 644 packaging/nsshell.schema.json '$(DESTDIR)$(DOCDIR)/nsshell.schema.json'
	install -D -m 644 packaging/nsctl.schema.json '$(DESTDIR)$(DOCDIR)/nsctl.schema.json'
	install -D -m 644 packaging/pam.d-example '$(DESTDIR)$(DOCDIR)/pam.d-example'
	install -d -m 755 '$(DESTDIR)$(DOCDIR)'
	sed 's|@LIBEXECDIR@|$(LIBEXECDIR)|' packaging/user-manager.conf | \
	  install -m 644 /dev/stdin '$(DESTDIR)$(DOCDIR)/user-manager.conf'
	install -D -m 755 packaging/kiosk '$(DESTDIR)$(LIBDIR)/kiosk'
	install -d -m 755 '$(DESTDIR)$(LIBDIR)/sftp-root'
	$(if $(PAMCONFIGS),install -D -m 644 packaging/pam-config '$(DESTDIR)$(PAMCONFIGS)/nsshell')
	$(foreach page,$(MAN_PAGES),install -D -m 644 'packaging/man/$(page)' \
	  '$(DESTDIR)$(call man_path,$(page))' &&) true
	@$(call install_completion,bash,$(BASH_COMPLETION))
	@$(call install_completion,zsh,$(ZSH_COMPLETION))
	@$(call install_completion,fish,$(FISH_COMPLETION))
	install -d -m 755 '$(DESTDIR)/etc/nsshell'

# A PAM line without its module locks everybody out, so does a login shell that is gone.
uninstall:
	@[ -n '$(DESTDIR)' ] || packaging/in-use '$(PAMDIR)' '$(BINDIR)/nsshell'
	@[ -n '$(DESTDIR)' ] || packaging/shells remove '$(BINDIR)/nsshell'
	rm -f '$(DESTDIR)$(PAMDIR)/pam_nsshell.so' '$(DESTDIR)$(LIBEXECDIR)/session-init' \
	  '$(DESTDIR)$(LIBEXECDIR)/relay' '$(DESTDIR)$(LIBEXECDIR)/standalone' \
	  '$(DESTDIR)$(BINDIR)/nsshell' '$(DESTDIR)$(SBINDIR)/nsctl' \
	  '$(DESTDIR)$(DOCDIR)/nsshell.toml.example' '$(DESTDIR)$(DOCDIR)/pam.d-example' \
	  '$(DESTDIR)$(DOCDIR)/user-manager.conf' '$(DESTDIR)$(DOCDIR)/nsshell.schema.json' \
	  '$(DESTDIR)$(DOCDIR)/nsctl.schema.json' '$(DESTDIR)$(BASH_COMPLETION)' \
	  '$(DESTDIR)$(ZSH_COMPLETION)' '$(DESTDIR)$(FISH_COMPLETION)' \
	  $(if $(PAMCONFIGS),'$(DESTDIR)$(PAMCONFIGS)/nsshell') \
	  $(foreach page,$(MAN_PAGES),'$(DESTDIR)$(call man_path,$(page))')
	rm -f '$(DESTDIR)$(LIBDIR)/kiosk'
	for dir in '$(LIBEXECDIR)' '$(LIBDIR)/sftp-root' '$(LIBDIR)' '$(DOCDIR)' /etc/nsshell; do \
	  rmdir '$(DESTDIR)'"$$dir" 2>/dev/null || true; done

# A distribution's Rust may come without the two checkers: only CI insists on them.
lint: need-cargo
	@if $(CARGO) fmt --version >/dev/null && $(CARGO) clippy --version >/dev/null; then \
	  $(call cargo,fmt --all --check) && \
	  $(call cargo,clippy --workspace --all-targets --locked -- -D warnings) && \
	  $(call cargo,clippy --locked -p nsshell-gate --bins --features program \
	    --config 'profile.dev.panic="abort"' -- -D warnings); \
	else echo 'skipped: format and lints, which need rustfmt and clippy'; [ '$(CI)' != true ]; fi
	cc -O2 -Wall -Wextra -Werror -fsyntax-only tests/apps/pamapp.c tests/apps/hostile.c tests/apps/points.c \
	  tests/apps/terminal.c tests/apps/terminal32.c tests/apps/loaded.c
	@for script in tests/*.sh tests/*/*.sh tests/vm/guest/start tests/vm/payloads/*/run .ci/run; do \
	  bash -n "$$script" || exit 1; done

deps:
	tests/deps.sh

check: lint
	@$(call cargo,test --quiet --workspace --exclude nsshell-tests --locked)

# A test's name, or the beginning of several: AREA=gate::relay.
e2e: deps build
	@$(call cargo,test --locked -p nsshell-tests --test e2e --no-run)
	$(CARGO_AS_ROOT) test --locked -p nsshell-tests --test e2e -- $(if $(AREA),'$(AREA)')

# Everything is compiled by the owner of the files first; root's cargo then finds it made.
test: deps lint build
	@$(call cargo,test --workspace --locked --no-run)
	$(MAKE) --no-print-directory test-install
	$(MAKE) --no-print-directory test-fuzz
	@echo 'cargo test --workspace --locked'; $(CARGO_AS_ROOT) test --workspace --locked

test-install:
	tests/install_test.sh '$(NSSHELL_BUILD)'

# The fuzz targets are no part of the workspace: here they are compiled, and each takes its seeds
# and a few seconds' worth of changes to them. libFuzzer is C++, and a crate that nothing else needs.
test-fuzz: need-cargo
	@if command -v c++ >/dev/null && $(CARGO) fetch --locked --manifest-path fuzz/Cargo.toml; then \
	  echo 'make fuzz FUZZ_SECONDS=5'; \
	  said=$$($(MAKE) --no-print-directory fuzz FUZZ_SECONDS=5 2>&1) || \
	    { printf '%s\n' "$$said" | tail -n 60; exit 1; }; \
	  printf '%s\n' "$$said" | grep '^Done\|peak_rss_mb'; \
	else echo 'skipped: fuzzing, which needs a C++ compiler and the crate libfuzzer-sys'; \
	  [ '$(CI)' != true ]; fi

# FUZZ_SECONDS for each target; what is found lies in fuzz/artifacts
FUZZ_SECONDS ?= 600
fuzz: need-cargo
	$(if $(INVOKER),runuser -u $(INVOKER) -- )env $(RUST_ENV) fuzz/run.sh '$(FUZZ_SECONDS)'

# The guests are Debian's: the product lies there as a package of Debian would lay it.
VM_SUITES   ?= bookworm trixie forky
VM_PAYLOADS ?=
VM_DIR       = $(TARGET_DIR)/vm
vm:
	tests/vm/deps.sh
	rm -rf '$(VM_DIR)/product'
	@$(MAKE) --no-print-directory -s build install-files PREFIX=/usr DESTDIR='$(VM_DIR)/product' \
	  PAMDIR=/usr/lib/x86_64-linux-gnu/security PAMCONFIGS=/usr/share/pam-configs
	@VM_DIR='$(VM_DIR)' VM_SUITES='$(VM_SUITES)' VM_PAYLOADS='$(VM_PAYLOADS)' \
	  tests/vm/run.sh '$(VM_DIR)/product'

bench: deps build
	NSSHELL_BUILD='$(NSSHELL_BUILD)' tests/bench/bench.sh

scale: deps build
	NSSHELL_BUILD='$(NSSHELL_BUILD)' tests/bench/scale.sh

# A quarter of an hour; nothing else should be under way on the machine meanwhile.
SOAK_LOGINS ?= 100000
soak: deps build
	@$(call cargo,test --locked -p nsshell-tests --test e2e --no-run)
	NSSHELL_LOGINS='$(SOAK_LOGINS)' $(CARGO_AS_ROOT) test --locked -p nsshell-tests --test e2e -- \
	  --exact --nocapture load::g5_g8_open_and_close_again_and_again_grow_nothing

demo: deps build
	NSSHELL_BUILD='$(NSSHELL_BUILD)' tests/demo.sh

clean:
	$(CARGO) clean
