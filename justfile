# Routine commands; `just` lists them. Each is a `cargo xtask` task or one plain command, so nothing needs `just`.

# List the recipes.
default:
    @just --list

# The whole story on the sample: update a running program, refuse bad packages, roll back.
demo:
    cargo xtask demo

# Every test of the repository.
test:
    cargo xtask test

# Format, clippy and documentation of every workspace, warnings as errors.
lint:
    cargo xtask lint

# Build, pack and sign the sample's packages into target/sample.
sample:
    cargo xtask sample

# One step in Rust, C, Python and JavaScript: build, run, compare every byte; or `just languages c`.
languages *names:
    cargo xtask languages {{names}}

# libFuzzer on one target of tests/fuzz until it is stopped, such as `just fuzz resolver -max_total_time=600`.
fuzz target *args:
    cargo xtask fuzz {{target}} {{args}}

# Update two real programs from the registries, compare every byte, print sizes, times and memory.
real:
    cargo xtask real

# What steps cost, side by side with the same work outside of the sandbox.
bench:
    cargo xtask bench sandbox

# Kill and break the product at every call that changes a disk; `just crash --full` for the long form.
crash *args:
    cargo xtask crash {{args}}

# Random sequences of updates, crashes and accidents against a model; `just soak --minutes 60`.
soak *args:
    cargo xtask soak {{args}}

# The tests of one crate, such as `just one cofferdam-package`.
one crate *args:
    cargo test --package {{crate}} {{args}}

# The product as it is shipped: target/release/cofferdam.
build:
    cargo build --release --package cofferdam

# Format every workspace.
fmt:
    cargo fmt --all
    cd steps && cargo fmt
    cd packages/acme-agent/program && cargo fmt
    cd tests/guests && cargo fmt

# The documentation of the crates, in a browser.
doc:
    cargo doc --workspace --no-deps --document-private-items --open
