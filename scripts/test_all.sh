#!/bin/sh
# Run the whole test suite on each supported Python that pyenv, uv or PATH offers.
set -u
ran=0 failed=0
for minor in 11 12 13; do
    python=""
    for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.$minor.*/bin/python "$(command -v python3.$minor || true)" \
        "$(command -v uv >/dev/null 2>&1 && uv python find --no-python-downloads 3.$minor 2>/dev/null || true)"; do
        [ -n "$candidate" ] && [ -x "$candidate" ] && python=$candidate && break
    done
    if [ -z "$python" ]; then
        echo "test-all: Python 3.$minor is not on this machine"
        continue
    fi
    ran=$((ran + 1))
    echo "test-all: Python 3.$minor"
    make --no-print-directory test PYTHON="$python" VENV=.venv-3.$minor || failed=$((failed + 1))
done
echo "test-all: $ran versions, $failed failed"
[ "$ran" -gt 0 ] && [ "$failed" -eq 0 ]
