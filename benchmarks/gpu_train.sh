#!/usr/bin/env bash
# Train a network for some minutes on a machine with an NVIDIA GPU: pairs are rendered there from sharp pictures.
#   benchmarks/gpu_train.sh PICTURES [SECONDS] [ARGUMENT...]   arguments: python3 -m benchmarks.gpu.train --help (240)
# Paths among the arguments are taken from the repository's root.
# Needs what gpu_visit.sh needs; uses build/gpu_kit if it is there. $OUT (default: build/gpu_train) gets
# weights.safetensors, anew each minute, in parts where it is large (python -m benchmarks.gpu.join puts them together),
# training.csv, run.json and visit.log.
set -uo pipefail
pictures=$(realpath "${1:?gpu_train needs a folder of sharp pictures}")
[[ -d $pictures ]] || { echo "gpu_train: $pictures: no such folder" >&2; exit 2; }
OUT=${OUT:+$(realpath "$OUT")}
cd "$(dirname "$0")/.."
shift
seconds=240
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
fi
TOTAL=$((seconds + 60))
END=$((SECONDS + TOTAL))
OUT=${OUT:-$PWD/build/gpu_train}
LOGS=$(mktemp -d)
KIT=${GPU_KIT:-build/gpu_kit}
export PYTHONUNBUFFERED=1 LFDEBLUR_CUDA=1
failed=0

# shellcheck source=benchmarks/gpu/on_a_gpu.sh
source benchmarks/gpu/on_a_gpu.sh
mkdir -p "$OUT"
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | tee -a "$OUT/visit.log"
prepare
step train 100 python3 -m benchmarks.gpu.train "$pictures" --out "$OUT" --seconds "$seconds" "$@"
tail -n 60 "$LOGS/train.log"
exit "$failed"
