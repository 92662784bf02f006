#!/usr/bin/env bash
# Measure on a GPU, within one short visit, what benchmarks/README.md has from a GPU or lists as not measured there.
#
#   bash benchmarks/gpu/visit.sh OUT steps                  # the kinds of training step, about 5 minutes
#   bash benchmarks/gpu/visit.sh OUT profile inference memory
#   bash benchmarks/gpu/visit.sh OUT readers train tests
#
# The processes of the first two lines run side by side: they compile at once, and time one after another. Each result is
# a line of OUT/*.jsonl or OUT/*.log, written at once. SMALL=1 tries the script itself on a CPU.
set -uo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
shift
cd "$(dirname "$0")/../.."
export TF_CPP_MIN_LOG_LEVEL=2 TF_FORCE_GPU_ALLOW_GROWTH=true
fused_biases="--xla_gpu_enable_triton_gemm=false --xla_gpu_enable_cublaslt=true"

measure() { # NAME OPTIONS...: run benchmarks.gpu in the background
  local name=$1
  shift
  python -u -m benchmarks.gpu "$@" ${SMALL:+--small --calls 1} --out "$out/$name.jsonl" >"$out/$name.log" 2>&1 &
}

steps() {
  measure step_loop --parts rates step --batches 64 256
  measure step_unrolled --parts step --forms unrolled --dtypes bfloat16 --batches 64 256
  XLA_FLAGS="${XLA_FLAGS:-} $fused_biases" measure step_cublaslt \
    --parts step --forms xla unrolled --dtypes bfloat16 --batches 256
  measure step_tf32 --parts tf32 --batches 64 256
}

profile() { measure profile --parts profile --forms xla unrolled --dtypes bfloat16 --batches 256 --calls 3; }

inference() { measure inference --parts inference --batches 64 256; }

memory() { measure memory --parts memory --batches 256; }

readers() {
  python -m benchmarks --parts feed ${SMALL:+--small} --out "$out/readers" 2>&1 | tee "$out/readers.log"
}

train() {
  local size=(--depth 32 --width 512 --batch-size 64 --network-dtype bfloat16) seconds=300
  [ -z "${SMALL:-}" ] || { size=(--depth 1 --width 8 --levels 1 --epochs 1 --epoch-steps 2) && seconds=120; }
  timeout -s INT $seconds python -u train.py --preset photos "${size[@]}" --run-dir "$out/run" 2>&1 | tee "$out/train.log"
  python -u evaluate.py report "$out/run" 2>&1 | tee -a "$out/train.log"
  cp "$out/run/metrics.csv" "$out/metrics.csv"
}

tests() {
  NVIDIA_TF32_OVERRIDE=0 timeout 500 python -m pytest -q -rf -m "not slow" ${SMALL:+tests/test_gpus.py} \
    2>&1 | tee "$out/tests.log"
}

for part in "$@"; do $part; done
wait
tail -n +1 "$out"/*.jsonl 2>/dev/null || true # readers, train and tests write none
