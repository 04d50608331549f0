# make help says what there is. Nothing here needs to be installed by hand but git, make and a Rust toolchain.
# Flags are left alone (no RUSTFLAGS, one profile), so that no target rebuilds what another has built.

# Where `make demo` writes its report.
REPORT ?= report
# What `make demo` runs.
FEATURES ?= features

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench lint clean

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /make \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

setup: ## install what is missing (QEMU, compilers, Docker) and start a Docker engine
	@scripts/setup

# tinyfarm's own exit code is in make's last line ("Error 1"); make itself always exits with 2 then.
demo: setup ## run the shipped features on container, emulators and a simulated board, and write a report
	cargo build
	@cargo run --quiet -- run $(FEATURES) --report $(REPORT)

test: setup ## run every test
	cargo test --workspace --no-fail-fast

# The dev profile, for `make test` has built everything with it; `cargo bench` alone would build it all anew.
bench: setup ## run the benchmarks
	cargo bench --profile dev --bench '*'

lint: setup ## check formatting and run clippy, warnings as errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings

clean: ## remove what was built, cached and reported
	cargo clean
	rm -rf .tinyfarm $(REPORT)
