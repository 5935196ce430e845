#!/usr/bin/env bash
# The program as a user and a script meet it: what it writes, where, and with which exit status.
set -uo pipefail
: "${SALIENCE:?the program to test}" "${SALIENCE_SOURCE:?the source tree}"
golden=$SALIENCE_SOURCE/tests/golden/methods
photo=$SALIENCE_SOURCE/examples/images/dog_and_cat.png
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
cd "$temp" || exit 1
export SALIENCE_HOME=$temp/home
cp "$golden/model.onnx" net.onnx
cp "$golden/input.npy" x.npy
passed=0 failed=0

# run STATUS ARGS...: call the program, keep what it says in out and err.
run() {
    local want=$1 got
    shift
    "$SALIENCE" "$@" >out 2>err
    got=$?
    check "salience $* -> $want (got $got)" test "$got" -eq "$want"
}
check() {
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        echo "  out: $(head -n 3 out 2>/dev/null)"
        echo "  err: $(head -n 3 err 2>/dev/null)"
    fi
}
says() { check "$1 says $2" grep -q -- "$2" "$1"; }
lines() { check "$1 has $2 lines" test "$(wc -l <"$1")" -eq "$2"; }
json() {
    if command -v python3 >/dev/null; then
        check "$1 is JSON" python3 -c 'import json,sys; json.load(open(sys.argv[1]))' "$1"
    fi
}

# ---- help, manual, completion -------------------------------------------------------------------
run 0 --help
says out 'usage: salience'
run 0 --version
for verb in inspect doctor run grad explain diff export bench generate chat perplexity tokenize list pull; do
    run 0 "$verb" --help
    says out "usage: salience $verb"
done
run 0 --man
for verb in INSPECT DOCTOR RUN GRAD EXPLAIN DIFF EXPORT BENCH GENERATE CHAT PERPLEXITY TOKENIZE LIST PULL METHODS; do says out "^.SH $verb"; done
for shell in bash zsh fish; do
    run 0 --completion $shell
    says out integrated-gradients
done
run 0 --completion bash
check "completion for bash parses" bash -n out
run 2 --completion csh

# ---- wrong usage: status 2, one line, a proposal --------------------------------------------------
run 2
run 2 explian
says err 'did you mean explain'
run 2 explain net.onnx x.npy --wyh 1
says err 'did you mean --why'
lines err 1
run 2 explain net.onnx x.npy --method gradcam
says err 'did you mean grad-cam'
run 2 explain net.onnx x.npy --method integrated-gradients --param stps=3
says err 'did you mean steps'
run 2 explain net.onnx x.npy --method integrated-gradients --param steps=0
run 2 explain net.onnx x.npy --why 99999
run 2 explain net.onnx x.npy --why 1 --not 1
run 2 explain net.onnx x.npy --layer nowhere
run 2 explain net.onnx
run 2 explain net.onnx x.npy y.npy
run 2 explain net.onnx x.npy -o heat.gif
run 2 explain net.onnx x.npy --threads none
run 2 explain net.onnx x.npy --memory 5
run 2 explain net.onnx x.npy --swap
run 0 explain net.onnx x.npy --method gradient --check --json
says out '"checks"'
says out '"model-randomisation"'
json out
run 0 explain net.onnx x.npy --method gradient --check
says out 'checks passed'
run 0 list ops --json
says out '"com.microsoft"'
run 0 list checks
says out deletion
run 0 list checks --json
json out
run 0 explain net.onnx x.npy --method gradient,occlusion --agree --json
says out '"mean_spearman"'
json out
run 0 explain net.onnx "$photo" --method gradient,occlusion --agree -o agree.png
check "agreement is drawn" test -s agree.png

# ---- tokenize ---
tok=$SALIENCE_SOURCE/tests/golden/tokenizer/wordpiece-bert.tokenizer.json
run 0 tokenize "$tok" --text "the water" --special --json
says out '"\[CLS\]"'
json out
run 0 tokenize "$tok" --text "the water"
ids=$(awk '{print $1}' out | tr '\n' ' ')
run 0 tokenize "$tok" --decode --text "$ids"
says out 'the water'
run 1 tokenize x.npy --text a
lines err 1
run 1 tokenize missing.json --text a
run 1 tokenize net.onnx --text a
says err 'nor a tokenizer.json beside it'
run 1 tokenize "$tok" --decode --text "1 x 3"
says err 'not x 3'

# ---- text ---
run 0 explain "$SALIENCE_SOURCE/tests/golden/text/model.onnx" --text "the water was hot" --method gradient-x-input
says out 'hot'
run 0 explain "$SALIENCE_SOURCE/tests/golden/text/model.onnx" --text "the water was hot" --method feature-ablation,lime \
    -o text.html --json
says out '"words"'
json out
says text.html 'class="words"'
echo "the water was hot" >words.txt
run 0 explain "$SALIENCE_SOURCE/tests/golden/text/model.onnx" words.txt --method gradient
run 2 explain "$SALIENCE_SOURCE/tests/golden/text/model.onnx" words.txt --method rise
run 2 explain "$SALIENCE_SOURCE/tests/golden/text/model.onnx"
run 1 explain net.onnx --text "no words here"

# ---- signals, tables, volumes ---
inputs=$SALIENCE_SOURCE/tests/golden/inputs
# same RAW GOLDEN: a gradient of class 1 as PyTorch has it
same() {
    command -v python3 >/dev/null && python3 -c 'import numpy' 2>/dev/null || return 0
    check "$1 is $2" python3 -c 'import sys, numpy as np
a, b = (np.load(f) for f in sys.argv[1:]); b = b.reshape(a.shape)
sys.exit(not np.abs(a - b).max() < 1e-5 * np.abs(b).max())' "$1" "$2"
}
for kind in signal table volume; do
    run 0 explain "$inputs/$kind.onnx" "$inputs/$kind.npy" --why 1 -o $kind-map.png
    says err 'integrated-gradients in place of grad-cam'
    check "$kind is drawn" test -s $kind-map.png
    says $kind-map.json '"strongest"'
    json $kind-map.json
    run 0 explain "$inputs/$kind.onnx" "$inputs/$kind.npy" --why 1 --method gradient --raw raw.npy
    same raw.npy "$inputs/$kind.grad.npy"
done
run 0 explain "$inputs/signal.onnx" "$inputs/signal.npy" --method gradient-x-input,occlusion -o signal.html --json
says out '"sample"'
says signal.html 'data:image/png'
says signal.html 'samples [0-9]* to [0-9]*'
seq -f 'measured %g' 10 >names.txt
run 0 explain "$inputs/table.onnx" "$inputs/table.npy" --names names.txt -o table-map.png
says out 'measured [0-9]* = '
head -n 3 names.txt >few.txt
run 1 explain "$inputs/table.onnx" "$inputs/table.npy" --names few.txt
says err '3 lines'
run 0 explain "$inputs/volume.onnx" "$inputs/volume.nii.gz" --std 200 --why 1 --method gradient \
    --raw map.nii.gz -o ct.png
says out 'mm right, front, up'
says err 'growing to LPS'
says ct.json '"mm"'
run 0 explain "$inputs/volume.onnx" map.nii.gz --method gradient --quiet
run 0 explain "$inputs/volume.onnx" "$inputs/volume.nii.gz" --std 200 --why 1 --method gradient --raw map.npy
same map.npy "$inputs/volume.nii.grad.npy"
run 0 explain "$inputs/volume.onnx" "$inputs/volume.nii.gz" --std 200 --method gradient,gradient-x-input --raw two.nii.gz
check "one file each" test -s two.gradient-x-input.nii.gz
run 2 explain "$inputs/volume.onnx" "$inputs/volume.nii.gz" --std 0
head -c 300 "$inputs/volume.nii.gz" >cut.nii.gz
run 1 explain "$inputs/volume.onnx" cut.nii.gz
lines err 1
run 1 explain "$inputs/signal.onnx" "$inputs/volume.nii.gz"
says err 'its shape does not fit'
lines err 1

# ---- diff -----------------------------------------------------------------------------------------
run 0 diff net.onnx net.onnx x.npy --method gradient
says out 'same answer, same reasons'
says out 'rank correlation 1.000'
run 0 diff net.onnx net.onnx "$photo" --method gradient,occlusion -o diff.png --json
says out '"cells_spearman"'
json out
json diff.json
check "the sheet is drawn" test -s diff.png
run 2 diff net.onnx x.npy
run 2 diff net.onnx net.onnx x.npy -o diff.html
run 1 diff net.onnx missing.onnx x.npy
lines err 1
says err '^missing.onnx'
run 2 list methodz
says err 'did you mean methods'
run 2 run net.onnx
run 2 run net.onnx --out results
run 2 grad net.onnx --in x.npy --out grads
run 2 export net.onnx --method grad-cam
run 2 export net.onnx --method rise -o rise.onnx
run 2 bench net.onnx --grad --method gradient
run 2 pull no-such-model

# ---- damaged and missing files: status 1, one line that begins with the file's name ----------------
bytes=$(wc -c <net.onnx)
head -c $((bytes / 2)) net.onnx >half.onnx
: >empty.onnx
printf 'no model at all' >text.onnx
for file in half.onnx empty.onnx text.onnx missing.onnx; do
    for call in "inspect $file" "doctor $file" "run $file --in x=x.npy --out r" "explain $file x.npy" \
        "explain $file $photo" "export $file -o e.onnx" "bench $file" \
        "grad $file --in x=x.npy --of y --wrt x --out r"; do
        # shellcheck disable=SC2086  # calls are words
        run 1 $call
        lines err 1
        says err "^$file"
        lines out 0
    done
done
head -c 200 x.npy >half.npy
head -c 2000 "$photo" >half.png
for file in half.npy half.png missing.png; do
    run 1 explain net.onnx "$file"
    lines err 1
    says err "^$file"
done
run 1 explain net.onnx net.onnx
lines err 1

# ---- run, grad -------------------------------------------------------------------------------------
run 0 inspect net.onnx --json
json out
input=$(sed -n '/"inputs"/,/"outputs"/s/.*"name": "\(.*\)".*/\1/p' out | head -n 1)
output=$(sed -n '/"outputs"/,/"nodes"/s/.*"name": "\(.*\)".*/\1/p' out | head -n 1)
# Outputs a/b and a_b would be one file: neither is written.
printf '%s\n' \
    CAg6WQoOCgF4EgNhL2IiBFJlbHUKDQoBeBIDYV9iIgNOZWcSAWdaDwoBeBIKCggIARIECgIIAmIR \
    CgNhL2ISCgoICAESBAoCCAJiEQoDYV9iEgoKCAgBEgQKAggCQgQKABAR |
    tr -d '\n' | base64 -d >twins.onnx
run 1 run twins.onnx --in x=x.npy --out twins
lines err 1
says err 'a/b'
says err 'a_b'
check "nothing is written" test ! -e twins
run 0 run net.onnx --in "$input=x.npy" --out results
check "run wrote $output" test -s "results/$output.npy"
run 0 grad net.onnx --in "$input=x.npy" --of "$output" --wrt "$input" --out grads
cp "grads/grad.$input.npy" ones.npy
run 0 grad net.onnx --in "$input=x.npy" --of "$output" --wrt "$input" --seed "results/$output.npy" --out grads
check "another seed, another gradient" test "$(cmp -s ones.npy "grads/grad.$input.npy"; echo $?)" -eq 1
run 0 grad net.onnx --in "$input=x.npy" --of "$output" --wrt "$input" --wrt "$output" --out grads --json
json out
check "gradient by the output itself" test -s "grads/grad.$output.npy"
run 2 grad net.onnx --in "$input=x.npy" --of "${output}x" --wrt "$input" --out grads
says err "did you mean $output"
run 0 inspect net.onnx --graph
run 0 inspect net.onnx --dot
says out digraph
run 0 inspect net.onnx --plan
says out 'steps'

# ---- explain ---------------------------------------------------------------------------------------
run 0 explain net.onnx x.npy --why 1 --raw map.npy --raw-layer layer.npy -o heat.png
check "pictures and maps are there" test -s heat.png -a -s heat.json -a -s map.npy -a -s layer.npy
json heat.json
check "no colours in a pipe" test "$(grep -c "$(printf '\033')" out)" -eq 0
lines err 0
for key in model_sha256 image_sha256 layer parameters seed residual command preprocessing; do
    says heat.json "\"$key\""
done
# The command in the description gives the same map again.
mv map.npy first.npy
command=$(sed -n 's/.*"command": "\(.*\)".*/\1/p' heat.json)
eval "\"$SALIENCE\" ${command#salience }" >/dev/null 2>&1
check "the same command gives the same bytes" cmp -s first.npy map.npy
run 0 explain net.onnx x.npy --json
json out
run 0 explain net.onnx x.npy --method integrated-gradients --param steps=20
says out residual
run 0 explain net.onnx "$photo" -o photo.png
says err '^preprocessing:'
says err '^warning:'
run 0 explain net.onnx "$photo" -o photo.png --quiet
lines err 0
run 0 explain net.onnx "$photo" --size 32,32 --mean 0,0,0 --std 1,1,1
says err 'flags'
run 0 explain net.onnx x.npy --method grad-cam,gradient --ask '1>2' --swap -o sheet.png --raw all.npy
check "one map a method and question" test -s all.grad-cam.npy -a -s all.gradient.2.npy -a -s sheet.png
run 0 explain net.onnx x.npy --methods all --param masks=20 --param samples=3 --param steps=4 -o report.html
check "the report needs nothing else" test "$(grep -c 'src="data:image/png' report.html)" -gt 5
check "no links" test "$(grep -cE '(src|href)="http' report.html)" -eq 0
json report.json
run 2 explain net.onnx x.npy -o net.png # net.json would be taken for a sidecar

# ---- preprocessing and labels beside the model -------------------------------------------------------
mkdir side
cp net.onnx side/net.onnx
echo '{"size": [32, 32], "mean": 0.5, "std": 0.5, "labels": "names.txt"}' >side/net.json
printf 'ant\nbee, honey bee\ncat\n' >side/names.txt
run 0 explain side/net.onnx "$photo" --why 'honey bee'
says err 'side/net.json'
says out 'why 1 bee'
run 0 doctor side/net.onnx "$photo"
says out 'side/net.json'
run 0 doctor side/net.onnx "$photo" --json
json out
echo '{"size": "large"}' >side/net.json
run 1 explain side/net.onnx "$photo"
lines err 1
says err '^side/net.json'
mkdir -p home/models
cp net.onnx home/models/small-net.onnx
run 0 inspect small-net

# ---- export, bench, list, pull -----------------------------------------------------------------------
run 0 export net.onnx --method grad-cam -o explained.onnx
run 0 inspect explained.onnx
says out saliency
says out query
run 0 bench net.onnx --batch 2 --repeat 3
for key in median_ms min_ms peak_rss_mb reference_nodes; do
    check "bench tells $key" grep -q "\"$key\"" <(tail -n 1 out)
done
tail -n 1 out >last
json last
run 0 bench net.onnx --grad --repeat 3 --json
run 0 bench net.onnx --method grad-cam --repeat 3 --profile
says out '%'
for table in methods metrics ops rules targets policies templates architectures; do
    run 0 list $table --json
    json out
    run 0 list $table
done
run 0 pull --list
says out efficientnet-lite0
says out gemma3-270m

# ---- language models ---------------------------------------------------------------------------------
tiny=$SALIENCE_SOURCE/tests/golden/gguf/gemma3.gguf
run 0 inspect "$tiny"
says out '^family *gemma3: tiny gemma3'
says out '^weights *f32 .*, q8_0 '
says out ' a token$'
run 0 inspect "$tiny" --json
json out
says out '"cache_bytes_a_token"'
mkdir -p home/models
cp "$tiny" home/models/tiny-gemma.gguf
check "a pulled GGUF file goes by its name" env SALIENCE_HOME="$PWD/home" "$SALIENCE" inspect tiny-gemma >out
run 0 inspect "$SALIENCE_SOURCE/tests/golden/folder/gemma3" --json
json out
says out '"format": "safetensors"'
mkdir -p hollow
run 1 inspect hollow
lines err 1
says err '^hollow.*config.json'
run 0 explain "$SALIENCE_SOURCE/tests/golden/gguf/talk.gguf" --text 'hi there' --why 'logits[1,5]' --method gradient-x-input
says out '^  words '

# ---- language models: a tiny one whose answers PyTorch gave (tests/oracle/make_gguf.py) -----------------
talk=$SALIENCE_SOURCE/tests/golden/gguf/talk.gguf
exact=(--temperature 0 --dtype f32 --cache f32)
answer='[167,167,167,167,167,167,222,167,222,167,222,255,10,196,255,255]'
run 0 generate "$talk" -p hi -n 16 "${exact[@]}" --json
json out
check "generate: the answer is PyTorch's" test "$(tr -d ' \n' <out | grep -o "\"ids\":$(sed 's/[][]/\\&/g' <<<"$answer")")" != ""
says err 'stopped: token limit'
run 0 generate "$talk" -p hi -n 16 "${exact[@]}" -q
check "generate -q says nothing else" test ! -s err
cp out plain_out
printf 'hi\n' >prompt.txt
run 0 generate "$talk" -f prompt.txt -n 16 "${exact[@]}" -q
check "a prompt from a file" cmp -s out plain_out
"$SALIENCE" generate "$talk" -n 16 "${exact[@]}" -q <prompt.txt >out 2>err
check "a prompt from stdin" cmp -s out plain_out
run 0 generate "$talk" -p hi -n 16 "${exact[@]}" -q --prompt-cache kept.cache
run 0 generate "$talk" -p hi -n 16 "${exact[@]}" --prompt-cache kept.cache
says err '18 kept'
check "a prompt from its cache" cmp -s out plain_out
printf 'x' | dd of=kept.cache bs=1 seek=90 conv=notrunc 2>/dev/null
run 1 generate "$talk" -p hi -n 16 "${exact[@]}" --prompt-cache kept.cache
says err '^kept.cache: damaged'
lines err 1
run 0 generate "$talk" -p hi -p 'and you' -n 4 --json
json out
run 0 generate "$talk" -p hi --plain -n 12 --seed 5 --ignore-end -q
cp out seed5
run 0 generate "$talk" -p hi --plain -n 12 --seed 5 --ignore-end -q
check "the same seed, the same text" cmp -s out seed5
run 0 generate "$talk" -p hi -n 3 --profile
says err PackedMatMul
run 2 generate "$talk" -p hi --top-p 2
run 1 generate "$talk" -p hi --cache none
says err 'list policies'
run 1 generate net.onnx -p hi
run 1 generate "$talk" -p "$(printf 'far too long %.0s' {1..60})"
says err 'larger context'
printf 'hi\nand\n/reset\nhi\n' | "$SALIENCE" chat "$talk" -n 4 "${exact[@]}" >out 2>err
check "chat: three answers, the first again after /reset" test "$(head -c 4 out | od -An -tx1)" = "$(tail -c 5 out | head -c 4 | od -An -tx1)"
for _ in {1..40}; do echo 'and the other one in there'; done >long.txt
run 0 perplexity "$talk" long.txt -c 32 --json
json out
run 0 perplexity "$talk" long.txt -c 32
says out '^perplexity [0-9]'
run 1 perplexity "$talk" prompt.txt -c 32
says err 'shorter chunks'

run 0 explain "$talk" -p 'hi the and' --raw words.npy
says out 'Gradient x input'
says out '^  words '
run 0 explain "$talk" -p 'hi the and' --why the --not an --method gradient-x-input,attn-lrp,feature-ablation,attention-rollout -o words.html --json
json out
says words.html 'class="words"'
check "no relevance is lost" test "$(grep -c WARNING out)" -eq 0
run 0 explain "$talk" -p 'hi the and' --answer 4
says out '^  answer '
run 0 explain "$talk" -p 'hi the and' --continuation ' and on' --plain
says out 'sum(answer\[:\])'
run 2 explain "$talk" -p 'hi' --why 'no single token'
says err 'continuation'

# ---- Ctrl-C ------------------------------------------------------------------------------------------
# How long the first method takes depends on the machine: wait longer when it was not finished.
for wait in 1 5 20; do
    "$SALIENCE" explain net.onnx x.npy --method grad-cam,rise --param masks=1000000 -o kept.png >out 2>err &
    job=$!
    sleep $wait
    kill -INT "$job"
    wait "$job"
    status=$?
    [ -s kept.png ] && break
done
check "interrupted: 130" test $status -eq 130
check "what was finished is kept" test -s kept.png

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
