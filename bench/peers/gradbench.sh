#!/bin/sh
# gradbench.sh DIR [TOOL…]: builds GradBench's C++ tools in the checkout DIR, those that can be, and times them
# beside ours on the same inputs, one thread. Tools that need a library or a compiler find it by CPATH, LIBRARY_PATH
# and PATH; cpp/json.hpp is fetched by `make -C DIR/cpp`.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(cd "${1:?the checkout of GradBench}" && pwd)
shift
[ $# -gt 0 ] || set -- manual tapenade finite adept codipack cppad adol-c ad-hpp enzyme
test -f "$dir/cpp/json.hpp" || make -C "$dir/cpp"
for tool; do
	make -k -C "$dir/tools/$tool" CFLAGS="-std=c11 -O3 -march=native -I../../cpp" >"$dir/tools/$tool/build.log" 2>&1 ||
		echo "gradbench: not all of $tool could be built: see $dir/tools/$tool/build.log" >&2
done
cd "$here"
go build -o "$dir/adjoint" ./bench/gradbench
exec python3 bench/peers/gradbench.py "$dir" "$@"
