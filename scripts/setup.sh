#!/bin/sh
# Make the virtual environment, with uv if it is installed, else with venv and pip. Says what it does meanwhile.
set -eu
: "${PYTHON:=python3}" "${VENV:=.venv}"

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "setup: $PYTHON is not Python 3.11 or newer; name one: make setup PYTHON=python3.12" >&2
    exit 2
fi

step() { echo "setup: $*"; }
progress() {  # one line for each package that pip installs, without its chatter
    sed -u -n -e 's/^Collecting \([^ (<>=!~;[]*\).*/       \1/p' \
        -e 's/^Installing collected packages.*/setup: 3\/3 writing the packages to disk/p' -e '/^ERROR/p'
}

began=$(date +%s)
uv=$(command -v uv || true)
[ -n "$uv" ] || [ ! -x "$VENV/bin/uv" ] || uv="$VENV/bin/uv"  # the environment has it: who made it may have had no pip
if [ -n "$uv" ]; then
    step "1/2 $VENV, with $("$PYTHON" --version)"
    [ -x "$VENV/bin/python" ] || "$uv" venv --quiet --python "$PYTHON" "$VENV"
    step "2/2 installing $(grep -c == constraints.txt) packages, and compiling the C extensions"
    # Else it takes the build that it has kept, of another Python or of older C files.
    "$uv" pip install --python "$VENV/bin/python" --refresh-package relive --constraint constraints.txt --editable '.[dev,docs]'
else
    step "1/3 $VENV, with $("$PYTHON" --version)"
    [ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
    step "2/3 downloading $(grep -c == constraints.txt) packages (about a minute), and compiling the C extensions"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    { "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input --progress-bar off \
        --constraint constraints.txt --editable '.[dev,docs]' 2>&1 || echo "ERROR: pip failed"; } | tee "$log" | progress
    if grep -q '^ERROR: pip failed' "$log"; then
        echo "setup: pip failed, and said last:" >&2
        tail -20 "$log" >&2
        exit 1
    fi
fi
step "done in $(($(date +%s) - began)) s"
