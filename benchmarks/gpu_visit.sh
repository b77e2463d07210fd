#!/usr/bin/env bash
# One visit to a machine with an NVIDIA GPU, over within 9 minutes; needs python3 with torch and pytest, and nvcc.
#   benchmarks/gpu_visit.sh            build, GPU tests, compute-sanitizer, benchmark suite
#   benchmarks/gpu_visit.sh sweep OP   build OP's kernels with other launch parameters and print the fastest
# Logs and JSON go to $OUT (default: build/gpu_visit). The exit status is the number of steps that failed.
set -uo pipefail
cd "$(dirname "$0")/.."
OUT=${OUT:-$PWD/build/gpu_visit}
END=$((SECONDS + 535))
export PYTHONUNBUFFERED=1 LFDEBLUR_CUDA=1
failed=0

# step NAME SECONDS COMMAND...: with a time limit of its own, never beyond the end of the visit
step() {
  local name=$1 limit=$2 left=$((END - SECONDS)) start=$SECONDS status=0
  shift 2
  if ((left < 5)); then
    status="not started, the visit's time is over"
  else
    timeout -k 5 $((limit < left ? limit : left)) "$@" >"$OUT/$name.log" 2>&1 || status=$?
  fi
  echo "== $name: ${status/#0/ok}, $((SECONDS - start)) s" | tee -a "$OUT/visit.log"
  if [[ $status != 0 ]]; then
    failed=$((failed + 1))
    tail -n 25 "$OUT/$name.log" 2>/dev/null
    return 1
  fi
}

if ! TORCH_CUDA_ARCH_LIST=$(python3 -c 'import torch; print("%d.%d" % torch.cuda.get_device_capability())' 2>/dev/null); then
  echo "gpu_visit: python3 has no torch that sees an NVIDIA GPU" >&2
  exit 1
fi
export TORCH_CUDA_ARCH_LIST
mkdir -p "$OUT"
: >"$OUT/visit.log"
nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem --format=csv,noheader | tee -a "$OUT/visit.log"
step build 300 python3 -m pip install --no-deps --no-build-isolation --no-index -e . || exit "$failed"

if [[ ${1:-} == sweep ]]; then
  step "sweep_${2:?sweep needs the name of an op}" 500 python3 -m benchmarks.gpu.sweep "$2" --seconds $((END - SECONDS - 15))
  cat "$OUT/sweep_$2.log"
  exit "$failed"
fi

# The options of pyproject.toml need pytest-benchmark, which such a machine may lack.
mapfile -t tests < <(grep -rlE --include='test_*.py' 'mark\.cuda|def test_.*\b(backend|device)\b' tests | sort)
step tests 180 python3 -m pytest -q -p no:cacheprovider -o addopts= -o filterwarnings= \
  --continue-on-collection-errors -m cuda "${tests[@]}"
for tool in memcheck racecheck; do
  PYTORCH_NO_CUDA_MEMORY_CACHING=1 step "$tool" 70 compute-sanitizer --tool "$tool" --error-exitcode 9 \
    python3 -m benchmarks.gpu.exercise
done
step benchmarks $((END - SECONDS)) python3 -m benchmarks --device cuda --seconds 0.3 --json "$OUT/gpu.json"
cat "$OUT/benchmarks.log"
exit "$failed"
