# What a developer runs. `just` alone lists it.

_default:
    @just --list

# format and lint, warnings denied
check:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings

# install what the tests need, then run them
test *ARGS:
    .ci/test {{ARGS}}

# take the snapshots that a visible change made new
accept:
    INSTA_UPDATE=always cargo nextest run

# the pictures of README from the program itself
pictures:
    WAKEFUL_PICTURES=1 cargo test --test it -- pictures readme

# the list of the functions that a start runs, for the linker
order:
    .ci/order

# all benchmarks; they print ratios and never fail on time
bench *ARGS:
    cargo bench {{ARGS}}

# everything CI does
ci:
    .ci/run
