#!/bin/sh
# Everything that `make setup` does, on a machine that has Python >= 3.11, make and the package registries.
# Safe to run again at any time: it only adds what is missing. `make` remembers by the lock files that it was done.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

enough='import sys; sys.exit(sys.version_info < (3, 11))'

find_python() {
    for candidate in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11 python; do
        if "$candidate" -c "$enough" 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
    say "没有 Python 3.11 或更高版本；可用 PYTHON=/path/to/python3 指定。"
    say "There is no Python >= 3.11; PYTHON=/path/to/python3 may name one."
    exit 3
}

make_environment() {
    if .venv/bin/python -c "$enough" 2>/dev/null; then
        return
    fi
    rm -rf .venv
    python=$(find_python)
    say "建立虚拟环境 / making .venv with $("$python" --version)"
    if "$python" -m venv .venv 2>/dev/null; then
        return
    fi
    rm -rf .venv
    if ! uv venv --quiet --python "$python" .venv; then
        say "这个 Python 不能建立虚拟环境（Debian：apt install python3-venv）。"
        say "This Python cannot make a virtual environment (Debian: apt install python3-venv)."
        exit 3
    fi
}

# Installs with uv where it is on PATH, else with pip; both read the same lock files and check each hash.
install() {
    if command -v uv >/dev/null 2>&1; then
        uv pip install --quiet --python .venv/bin/python "$@"
    else
        .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"
    fi
}

make_environment
say "安装依赖 / installing $(grep -c '^[a-z]' requirements.lock) packages of requirements.lock"
install --require-hashes --only-binary :all: -r requirements.lock
install --no-deps --no-build-isolation --no-index --editable .

if [ -z "${DUOKUA_JAVA:-}" ] || [ "$DUOKUA_JAVA" = bundled ]; then
    if ! .venv/bin/duokua kafka java >/dev/null 2>&1; then
        say "安装随附的 Java / installing the bundled Java"
        install --require-hashes --only-binary :all: -r requirements-jdk.lock
    fi
fi
.venv/bin/duokua kafka java >&2
.venv/bin/duokua kafka fetch >&2
say "就绪 / ready: make demo, make test, .venv/bin/duokua --help"
