#!/bin/sh
# `make verify`: what takes long or needs the network, by hand. Ends at the first failure.
set -eu
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

step() { printf '\n=== %s\n' "$*"; }

step "pip reads every lock file"
for lock in requirements.lock requirements-jdk.lock deploy/requirements-run.lock bench/requirements-bench.lock; do
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --dry-run --ignore-installed \
        --require-hashes --only-binary :all: -r "$lock"
    echo "$lock"
done

step "what the image installs, without a container: runs and finds its catalogue"
.venv/bin/python -m venv "$scratch/image"
"$scratch/image/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
    -r deploy/requirements-run.lock
.venv/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index \
    --wheel-dir "$scratch" .
"$scratch/image/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-index "$scratch"/duokua-*.whl
(cd / && DUOKUA_CATALOG="$OLDPWD/catalog" "$scratch/image/bin/duokua" catalog check)

step "a set-up from nothing, with the bundled Java and an empty cache, and the demo on it"
git clone --quiet . "$scratch/clone"
(cd "$scratch/clone" && XDG_CACHE_HOME="$scratch/cache" DUOKUA_JAVA=bundled make demo)

step "simulation: ten thousand seeds"
.venv/bin/python -m tests.simulation --n 10000

step "a calendar changes under 500 000 cases with running clocks, and the engine is killed in the middle"
.venv/bin/python -m tests.rebasing --cases 500000

step "chaos: three seeds, then three brokers, then twenty minutes with an eye on memory"
for seed in 1 2 3; do .venv/bin/python -m tests.chaos --duration 300 --seed "$seed"; done
.venv/bin/python -m tests.chaos --duration 300 --seed 4 --brokers 3
.venv/bin/python -m tests.chaos --soak --seed 5

step "a year of a city, counted again"
.venv/bin/python -m tests.year --cases 100000 --minutes 30 --seed 1

step "figures"
.venv/bin/python -m bench
.venv/bin/python -m bench.rules
