#!/bin/sh
# pip_install.sh PYTHON SOURCE: `pip install .` into a clean environment, then the first explanation there.
set -eu
python=$1 source=$2
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
unset PYTHONPATH SALIENCE_LIBRARY SALIENCE_DEPS 2>/dev/null || true

"$python" -m venv "$temp/venv" >"$temp/log" 2>&1 || { echo "NOT RUN: $python has no venv"; exit 77; }
pip="$temp/venv/bin/python -m pip --disable-pip-version-check --quiet"
if ! $pip download -d "$temp/reach" scikit-build-core==1.1.2 >"$temp/log" 2>&1; then
    echo "NOT RUN: pip cannot fetch scikit-build-core 1.1.2 with what it needs"
    exit 77
fi

began=$(date +%s)
cd "$source"
$pip install --config-settings build-dir="$temp/build" . >"$temp/log" 2>&1 || { tail -n 40 "$temp/log"; exit 1; }
cd "$temp"
"$temp/venv/bin/python" "$source/tests/install/first_explanation.py" "$source"
"$temp/venv/bin/salience" list methods >"$temp/log"
grep -q grad-cam "$temp/log"
"$temp/venv/bin/python" -m pip check
echo "pip install . to the first explanation: $(($(date +%s) - began)) s"
