#!/usr/bin/env bash
# The program on mutants of good files: exit status 0 or 1, one line that begins with the file's name when
# it fails, nothing half-written, an end in time. docs/hostile-input.md
#
#     SALIENCE=build/bin/salience SALIENCE_SOURCE=. HOSTILE=build/tests hostile_cli.sh [MUTANTS [SEED]]
#
# MUTANTS of each of the six formats.
set -uo pipefail
: "${SALIENCE:?the program to test}" "${SALIENCE_SOURCE:?the source tree}" "${HOSTILE:?the folder of *_hostile}"
count=${1:-20} seed=${2:-1}
corpus=$SALIENCE_SOURCE/tests/fuzz/corpus
good=$SALIENCE_SOURCE/tests/golden/methods/model.onnx
photo=$SALIENCE_SOURCE/tests/golden/image/photo.png
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
export SALIENCE_HOME=$temp/home
failed=0 refused=0 accepted=0

# Read by the shell: a program for every step would take longer than the program under test.
wrong() {
    failed=$((failed + 1))
    echo "FAILED ($1): salience ${*:2}"
    head -c 2000 "$temp/err" | head -n 12 | sed 's/^/  /'
    if [[ -n ${HOSTILE_KEEP:-} ]]; then mkdir -p "$HOSTILE_KEEP" && cp "$file" "$HOSTILE_KEEP"; fi
}

# try ARGS...: of a command that reads the mutant $file and may write into $temp/out.
try() {
    local status lines
    mkdir "$temp/out"
    timeout -s ABRT 10 "$SALIENCE" "$@" >"$temp/said" 2>"$temp/err" </dev/null
    status=$?
    case $status in
    0) accepted=$((accepted + 1)) ;;
    1)
        refused=$((refused + 1))
        mapfile -t lines <"$temp/err"
        if [[ ${#lines[@]} -ne 1 ]]; then
            wrong "${#lines[@]} lines" "$@"
        elif [[ ${lines[0]} != "$file: "?* && ${lines[0]} != "$file, "?* ]]; then
            wrong "begins otherwise" "$@"
        elif [[ -n $(ls -A "$temp/out") ]]; then
            wrong "left something behind" "$@"
        fi
        ;;
    *) wrong "exit status $status" "$@" ;;
    esac
    rm -rf "$temp/out"
}

for format in onnx npy png jpeg webp gguf; do
    dir=$temp/$format
    mkdir "$dir"
    "$HOSTILE/${format}_hostile" --count "$count" --seed "$seed" --write "$dir" "$corpus/$format" \
        "$(dirname "$good")" || exit 1
    n=0
    for file in "$dir/$seed"-*; do
        n=$((n + 1))
        case $format in
        onnx)
            try inspect "$file"
            case $((n % 3)) in
            0) try explain "$file" "$photo" -o "$temp/out/x.png" ;;
            1) try export "$file" --method gradient -o "$temp/out/x.onnx" ;;
            2) # a model that asks for much work gets it: that is no fault
                [[ $(<"$temp/said") =~ [0-9]{5} ]] || try bench "$file" --repeat 1 ;;
            esac
            ;;
        npy)
            if ((n % 2 == 0)); then
                try run "$good" --in "input=$file" --out "$temp/out"
            else
                try explain "$good" "$file" --why 1 -o "$temp/out/x.png"
            fi
            ;;
        gguf)
            try inspect "$file"
            try run "$file" --in "input_ids=$SALIENCE_SOURCE/tests/golden/gguf/llama.ids.npy" --out "$temp/out"
            ;;
        *) try explain "$good" "$file" --why 1 -o "$temp/out/x.png" ;;
        esac
    done
    rm -rf "$dir"
done
echo "$((accepted + refused + failed)) runs: $accepted accepted, $refused refused, $failed failed"
[[ $failed -eq 0 ]]
