# For the scripts that run on a machine with an NVIDIA GPU, which source this: TOTAL, END, OUT, LOGS and KIT are set.
# step NAME SHARE COMMAND...: with a time limit, in hundredths of the whole visit; never beyond its end
step() {
  local name=$1 limit=$(($2 * TOTAL / 100)) left=$((END - SECONDS)) start=$SECONDS status=0
  shift 2
  if [[ " ${SKIP:-} " == *" $name "* ]]; then
    return
  fi
  if ((left < 5)); then
    status="not started, the visit's time is over"
  else
    timeout -k 5 $((limit < left ? limit : left)) "$@" >"$LOGS/$name.log" 2>&1 || status=$?
  fi
  echo "== $name: ${status/#0/ok}, $((SECONDS - start)) s" | tee -a "$OUT/visit.log" "$LOGS/steps"
  cat "$LOGS/$name.log" >>"$OUT/visit.log" 2>/dev/null
  if [[ $status != 0 ]]; then
    failed=$((failed + 1))
    tail -n 12 "$LOGS/$name.log" 2>/dev/null | cut -c1-300
    return 1
  fi
}

if ! TORCH_CUDA_ARCH_LIST=$(python3 -c 'import torch; print("%d.%d" % torch.cuda.get_device_capability())' 2>/dev/null); then
  echo "python3 has no torch that sees an NVIDIA GPU" >&2
  exit 1
fi
export TORCH_CUDA_ARCH_LIST

# The library: out of the kit where there is one for this GPU, else built here, which ends the script where it fails.
prepare() {
  if [[ ! -d $KIT/lfdeblur_ops || $TORCH_CUDA_ARCH_LIST != 9.0 ]]; then
    step build 60 python3 -m pip install --no-deps --no-build-isolation --no-index -e . || exit "$failed"
    return
  fi
  local site
  site=$(mktemp -d)
  ln -s "$PWD/models" "$site/lfdeblur_models"
  # Only what is missing: the machine's own versions fit its torch.
  mapfile -t missing < <(python3 - "$KIT"/wheels/*.whl <<'LIST'
import sys
from importlib.metadata import PackageNotFoundError, version

for wheel in sys.argv[1:]:
    try:
        version(wheel.rsplit("/", 1)[-1].split("-")[0])
    except PackageNotFoundError:
        print(wheel)
LIST
  )
  step wheels 10 python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$site" "${missing[@]}"
  cp "$KIT"/lfdeblur_ops/*.so lfdeblur_ops/
  LFDEBLUR_COMMIT=$(cat "$KIT/COMMIT" 2>/dev/null)
  export LFDEBLUR_COMMIT
  export PYTHONPATH="$PWD:$site"
}
