#!/usr/bin/env bash
# A new user's first hour, by nothing but what README and --help say:
#
#   bash tests/walk/new_user.sh CHECKOUT_OR_WHEEL [FOLDER]
#
# installs vadkit into a new virtual environment, scores her own videos, imports features with a messy table, trains with
# train.select=val, compares two components and exports the model. PIP_ARGS are further arguments of `pip install`, and
# SITE are folders of packages that the environment may use. Stops at the first command that fails.
set -euo pipefail
source=$(realpath "$1")
own_data=$(realpath "$(dirname "$0")")/own_data.py
cd "${2:-$(mktemp -d)}"
thief=$(printf "\303\234berfall")  # a name with an umlaut; sources are ASCII

step() { echo; echo "== $*"; }
vadkit() { echo "\$ vadkit $*"; command vadkit "$@"; }

step "install"
"${PYTHON:-python3}" -m venv env
# shellcheck disable=SC2086
[ -z "${SITE:-}" ] || printf '%s\n' $SITE > "$(env/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/site.pth"
export PATH="$PWD/env/bin:$PATH"
# shellcheck disable=SC2086
env/bin/python -m pip install --quiet --disable-pip-version-check ${PIP_ARGS:-} "$source"
vadkit --version
python "$own_data" .

step "her own videos, from files to scores"
cat > labels.csv <<TABLE
video;label;split;intervals;fps
street 0;Normal;train;;
"street 1.mp4";0;train;;
street 2;FALSE;train;;

street 3;no;test;;
${thief} 0;fight;train;;
${thief} 1; Fight;train;;
${thief} 2.mp4;1;train;;
${thief} 3;yes;test;1-3s;25
TABLE
vadkit extract videos --config demo_three_stream --labels labels.csv --out store
vadkit store check store
vadkit train demo_three_stream --data store --set train.warm_start=null --batch 2 --set train.steps=6 \
    --out runs/mine
vadkit eval --model runs/mine/model.safetensors --data store --out eval
vadkit predict "videos/trouble/${thief} 4.mp4" "videos/quiet/street 4.mp4" --model runs/mine/model.safetensors --out pages
vadkit watch "videos/trouble/${thief} 4.mp4" videos/quiet --model runs/mine/model.safetensors --window 8 --rule on=0.5

step "features of her own, with a messy table"
{
    printf '\xef\xbb\xbfLabel,Video,Split\r\n'
    for number in 0 2 4 6 8 10; do printf 'normal,cam_%02d,train\r\n' "$number"; done
    for number in 1 3 5 7 9 11; do printf 'Abnormal , "cam_%02d.npy",train\r\n' "$number"; done
    printf ',,\r\n'
    for number in 12 14; do printf '0.0,cam_%02d,test\r\n' "$number"; done
    for number in 13 15; do printf 'TRUE,cam_%02d,test\r\n' "$number"; done
} > table.csv
vadkit store import own --root features --table table.csv --out imported
vadkit store info imported
vadkit train ur_dmu_xd --data imported --batch 2 --epochs 2 --set train.select=val \
    --out runs/imported
vadkit eval --model runs/imported/model.safetensors --data imported

step "compare and export"
vadkit bench swap demo_rgb --data store --node context --with tca,identity --batch 2 --set train.steps=3 --seeds 2 \
    --rounds 1 --snippets 20 --out swap
vadkit bench compare swap/runs --data store --out compared
printf '%s\n' 'config: demo_rgb' 'data: store' 'set: [data.batch=2]' 'budget: {steps: 3}' 'seeds: 2' \
    'swaps: {context: [tca, identity, layer_norm]}' > spec.yaml
vadkit bench swap --spec spec.yaml --no-timing --out swap
vadkit bench speed demo_rgb --device cpu --what step --bags 2 --snippets 20 --rounds 3 --out speed/old.json
vadkit bench check speed/old.json --against speed/old.json
python - <<'PYTHON'
import torch
import vadkit

model = vadkit.load("runs/imported/model.safetensors").eval()
program = torch.export.export(model.inference, (torch.rand(1, 40, 1024),))
torch.export.save(program, "model.pt2")
PYTHON

step "what she has now"
ls runs/mine runs/imported eval pages swap speed model.pt2
