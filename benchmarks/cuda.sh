#!/bin/sh
# Everything that needs a GPU, within MINUTES (10 at least), in order of worth. Run the same command again to go on.
#
#     sh benchmarks/cuda.sh MINUTES [--find-links DIR] [--device cuda:N] [--out DIR] [--dry-run]
#
# MINUTES          begin nothing that would not end by then, and stop what does not
# --find-links DIR for a bare machine with torch and no network: install vadkit from here, and what it needs from the
#                  wheels in DIR, which are those of pyproject.toml, hatchling, editables, pytest, hypothesis and
#                  scikit-learn
# --device D       which GPU (default: cuda)
# --out DIR        result files (default: benchmarks/results)
# --dry-run        print the plan and run nothing; needs no GPU
#
# PYTHON chooses the interpreter (default: python3). What is done is listed in DIR/cuda-done.txt: delete a line of it to
# do that step again. Exit code: 0 if all steps are done, 1 if some failed or are left, 2 if nothing could be run.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
python=${PYTHON:-python3}
minutes='' links='' device=cuda out=$here/results dry=''

usage() {
    echo "cuda.sh: $1" >&2
    echo "  usage: sh benchmarks/cuda.sh MINUTES [--find-links DIR] [--device cuda:N] [--out DIR] [--dry-run]" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
        --find-links | --device | --out)
            [ $# -gt 1 ] || usage "$1 needs a value"
            case $1 in
                --find-links) links=$2 ;;
                --device) device=$2 ;;
                --out) out=$2 ;;
            esac
            shift
            ;;
        --dry-run) dry=1 ;;
        -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0"; exit 0 ;;
        -*) usage "unknown option $1" ;;
        *)
            [ -z "$minutes" ] || usage "one number of minutes is enough, got $minutes and $1"
            minutes=$1
            ;;
    esac
    shift
done
case $minutes in
    '') usage "say how many minutes there are" ;;
    *[!0-9]*) usage "MINUTES is a whole number, not $minutes" ;;
esac
[ "$minutes" -ge 10 ] || usage "$minutes minutes are too few: give 10 at least"
[ -z "$links" ] || [ -d "$links" ] || usage "--find-links: there is no folder $links"
command -v "$python" >/dev/null 2>&1 || usage "there is no $python; set PYTHON to an interpreter with torch"

command -v timeout >/dev/null 2>&1 || usage "there is no program timeout, of GNU coreutils"

cd "$root" || exit 2
work=${TMPDIR:-/tmp}/vadkit-cuda # what is no result
done_file=$out/cuda-done.txt
begin=$(date +%s)
end=$((begin + 60 * minutes))
failed=0 left=0 count=0

prepare() {
    [ -z "$dry" ] || return 0
    if [ -n "$links" ]; then
        # torch as it is: another build would need another driver.
        held=$("$python" -c 'import torch; print("torch==" + torch.__version__)') || usage "$python has no torch"
        mkdir -p "$work" && echo "$held" >"$work/torch.txt"
        "$python" -m pip install --quiet --no-index --find-links "$links" --constraint "$work/torch.txt" \
            --no-build-isolation --editable "$root" pytest hypothesis scikit-learn ||
            usage "vadkit could not be installed from $links; the lines above say what is missing there"
    fi
    "$python" -c 'import vadkit' 2>/dev/null ||
        usage "$python cannot import vadkit: install it, or give --find-links DIR with the wheels"
    "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null ||
        usage "torch of $python finds no GPU here (nvidia-smi lists them); --dry-run prints the plan without one"
    mkdir -p "$out" || usage "$out cannot be written"
    touch "$done_file"
}

# step NAME MINUTES COMMAND...: what it is called, the longest that it may take, what to run.
step() {
    name=$1 most=$2
    shift 2
    count=$((count + 1))
    if [ -n "$dry" ]; then
        printf '%s\t%s\t' "$name" "$most"
        for word in "$@"; do printf '%s ' "$word"; done
        echo
        return
    fi
    if grep -qxF "$name" "$done_file"; then
        echo "== $name: done before"
        return
    fi
    seconds=$((end - $(date +%s)))
    if [ "$seconds" -lt 30 ]; then
        left=$((left + 1))
        echo "== $name: left, the time is over"
        return
    fi
    [ "$seconds" -le $((60 * most)) ] || seconds=$((60 * most))
    echo "== $name (at most $seconds s, $(((end - $(date +%s)) / 60)) min left)"
    timeout --signal=INT --kill-after=20 "$seconds" "$@"
    code=$?
    case $code in
        0) echo "$name" >>"$done_file" ;;
        124 | 137) left=$((left + 1)); echo "== $name: stopped after $seconds s; run the same command again to go on" ;;
        *) failed=$((failed + 1)); echo "== $name: failed with exit code $code" ;;
    esac
}

# Train steps of graphs: speed NAME MINUTES BAGS PRECISIONS GRAPH...
speed() {
    name=$1 most=$2 bags=$3 precision=$4
    shift 4
    step "$name" "$most" "$python" -m vadkit bench speed "$@" --device "$device" --what step --bags "$bags" \
        --snippets 200 --precision "$precision" --mode eager,captured --restatements benchmarks/restatements \
        --minutes "$most" --out "$out"
}

prepare
# The four systems with an aim, as in the fact sheet: 128 or 64 bags of 200 snippets.
speed "step of the paper's RGB" 2 64 fp32,tf32,bf16 seed_xd_rgb
speed "step of UR-DMU" 2 128 fp32,tf32,bf16 ur_dmu_xd
step "tests: captured runs" 4 "$python" -m pytest -m cuda -q tests/cuda/test_cuda_training.py -k "captured"
speed "step of PEL4VAD" 1 128 fp32,tf32,bf16 pel4vad_xd
speed "step of three streams" 2 64 fp32,tf32,bf16 seed_xd_three_stream
step "TV-L1" 2 "$python" benchmarks/tvl1.py --device "$device"
step "a minute of video" 5 "$python" benchmarks/extraction_minute.py --device "$device" --precision tf32
step "tests" 20 "$python" -m pytest -m cuda -q
step "growth" 5 "$python" -m vadkit bench speed seed_xd_three_stream ur_dmu_xd pel4vad_xd --device "$device" \
    --what growth --restatements benchmarks/restatements --minutes 5 --out "$out"
step "store of a comparison" 1 "$python" -m vadkit store generate xd_violence --out "$work/store" --fraction 0.01
step "a comparison" 5 "$python" -m vadkit bench swap seed_xd_rgb --node context --with tca,identity --seeds 3 \
    --set train.steps=200 --set train.epochs=null --data "$work/store" --device "$device" --out "$work/swap"
[ -n "$dry" ] || [ ! -f "$work/swap/results.json" ] || cp "$work/swap/results.json" "$out/swap-cuda.json"
step "all systems" 30 "$python" -m vadkit bench speed --device "$device" --what step,growth,components \
    --restatements benchmarks/restatements --minutes 30 --out "$out"

[ -z "$dry" ] || exit 0
echo "$((count - failed - left)) of $count steps done, $failed failed, $left left; results are in $out"
[ $((failed + left)) -eq 0 ]
