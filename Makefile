# make help says what there is. Nothing here needs to be installed by hand but git, make and a Rust toolchain.
# Flags are left alone (no RUSTFLAGS, one profile), so that no target rebuilds what another has built.

# Where `make demo` writes its report.
REPORT ?= report
# What `make demo` runs.
FEATURES ?= features

.DEFAULT_GOAL := help
.PHONY: help setup renode demo test bench bench-renode lint clean

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /make \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

setup: ## install what is missing (QEMU, compilers, Docker) and start a Docker engine
	@scripts/setup

renode: ## install Renode, the second emulator, from its releases
	@scripts/renode

# What is tagged @renode names Renode, and is blocked where it is not installed: it is left out there, and this says so.
# tinyfarm's own exit code is in make's last line ("Error 1"); make itself always exits with 2 then.
demo: setup ## run the shipped features on container, emulators and a simulated board, and write a report
	cargo build
	@cargo run --quiet -- targets | grep '^renode:.* ready, by' >/dev/null || { \
		echo "demo: no Renode here (make renode installs it), so features tagged @renode are left out"; without="not @renode"; }; \
	cargo run --quiet -- run $(FEATURES) --report $(REPORT) $${without:+--tags "$$without"}

test: setup ## run every test
	cargo test --workspace --no-fail-fast

# The dev profile, for `make test` has built everything with it; `cargo bench` alone would build it all anew.
bench: setup ## run the benchmarks
	cargo bench --profile dev --bench '*'

bench-renode: setup ## measure Renode beside QEMU, where it is installed
	cargo bench --profile dev --bench numbers -- renode

lint: setup ## check formatting and run clippy, warnings as errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings

clean: ## remove what was built, cached and reported
	cargo clean
	rm -rf .tinyfarm $(REPORT)
