#!/usr/bin/env bash
# One visit to a machine with an NVIDIA GPU; needs python3 with torch, triton, pytest and pytest-xdist.
#   benchmarks/gpu_visit.sh first [SECONDS]    does it run, is it right, how fast: smoke, layers, tests, memcheck, rows (330)
#   benchmarks/gpu_visit.sh second [SECONDS]   the tests that failed (TESTS: pytest's -k), the suite beside its rivals (350)
#   benchmarks/gpu_visit.sh sweep OP [SECONDS] build OP's kernels with other launch parameters and print the fastest (500)
# `make gpu-kit` beforehand makes build/gpu_kit: the extension for sm_90 and wheels that the machine may lack. Without
# it the extension is built there. $OUT (default: build/gpu_visit) gets visit.log, with the output of all steps, and JSON.
# A step that fails stops no other; the exit status is the number of those that failed. SKIP="memcheck rows" leaves steps
# out.
set -uo pipefail
cd "$(dirname "$0")/.."
what=${1:-first}
if [[ $what == sweep ]]; then
  op=${2:?sweep needs the name of an op}
  shift
fi
case $what in first) usual=330 ;; second) usual=350 ;; sweep) usual=500 ;;
  *) echo "gpu_visit: got '$what', want first, second or sweep OP" >&2; exit 2 ;;
esac
TOTAL=${2:-$usual}
END=$((SECONDS + TOTAL))
OUT=${OUT:-$PWD/build/gpu_visit}
LOGS=$(mktemp -d)
KIT=${GPU_KIT:-build/gpu_kit}
export PYTHONUNBUFFERED=1 LFDEBLUR_CUDA=1 TORCHINDUCTOR_COMPILE_THREADS=1
failed=0

# shellcheck source=benchmarks/gpu/on_a_gpu.sh
source benchmarks/gpu/on_a_gpu.sh
mkdir -p "$OUT"
compiled='single 3x720x1280 optimize bfloat16'
: >"$OUT/visit.log"
nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem --format=csv,noheader | tee -a "$OUT/visit.log"
if [[ $what == sweep ]]; then
  KIT=none  # a sweep compiles anyway
fi
prepare
if [[ $what == sweep ]]; then
  step "sweep_$op" 100 python3 -m benchmarks.gpu.sweep "$op" --seconds $((END - SECONDS - 15))
  cat "$LOGS/sweep_$op.log"
  exit "$failed"
fi

step warm 18 python3 -m benchmarks.gpu.warm --for "$what"
tail -n 1 "$LOGS/warm.log"
step smoke 25 python3 -m benchmarks.gpu.smoke
grep -A 12 FAIL "$LOGS/smoke.log" | cut -c1-400 | head -n 60
step network 25 python3 -m benchmarks.gpu.network --json "$OUT/network.json"

if [[ $what == first ]]; then
  # The options of pyproject.toml need pytest-benchmark, which such a machine may lack.
  mapfile -t tests < <(grep -rlE 'mark\.cuda|def test_.*\b(backend|device)\b' tests --include 'test_*.py')
  step tests 45 python3 -m pytest -v -n 12 --tb=short -p no:cacheprovider -o addopts= -o filterwarnings= \
    --continue-on-collection-errors -m cuda "${tests[@]}"
  grep -cE ' PASSED ' "$LOGS/tests.log" | sed 's/$/ tests passed/'
  grep -E '^(FAILED|ERROR)|\] FAILED|\] ERROR' "$LOGS/tests.log" | sed 's/^\[gw[0-9]*\] \[ *[0-9]*%\] //' | cut -c1-150 | sort -u | head -n 40
  PYTORCH_NO_CUDA_MEMORY_CACHING=1 step memcheck 12 compute-sanitizer --error-exitcode 9 python3 -m benchmarks.gpu.exercise kernels
  step variants 12 python3 -m benchmarks.gpu.variants
  step rows 100 python3 -m benchmarks --device cuda --seconds 0.1 --ours-only --json "$OUT/gpu.json"
else
  # What torch.compile makes of the network is on disk when its row is measured.
  TORCHINDUCTOR_COMPILE_THREADS=6 timeout 110 python3 -m benchmarks --device cuda --seconds 0.01 --only drbnet --match "$compiled" >"$LOGS/compile.log" 2>&1 &
  step tests 20 python3 -m pytest -q -n 10 --tb=short -p no:cacheprovider -o addopts= -o filterwarnings= -m cuda \
    -k "${TESTS:-compiles or gradients_are}" tests
  tail -n 12 "$LOGS/tests.log" | cut -c1-200
  wait
  cat "$LOGS/compile.log" >>"$OUT/visit.log"
  only=$(printf -- '--only %s ' drbnet drb_head conv3x3 conv_transpose4x4 residual_block dynamic_filter refocus training_step)
  # shellcheck disable=SC2086
  step rows 60 python3 -m benchmarks --device cuda --seconds 0.1 --without compile: --without freezing $only --json "$OUT/gpu.json"
fi
cat "$LOGS/network.log" "$LOGS/variants.log" 2>/dev/null
grep -vE '\.\.\.$' "$LOGS/rows.log" 2>/dev/null | cut -c1-200
cat "$LOGS/steps"
exit "$failed"
