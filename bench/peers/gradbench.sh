#!/bin/sh
# gradbench.sh DIR [TOOL…]: builds GradBench's C++ tools in the checkout DIR, those that can be, and times them and the
# tools in Python beside ours on the same inputs, one thread; ours with two, too. What is there is found here:
#   ADOL-C, json.hpp   Debian's libadolc-dev and nlohmann-json3-dev
#   CppAD, JAX, torch  the peers' Python, .peers/py (make peers)
#   Adept, CoDiPack    checkouts of theirs that ADEPT and CODIPACK name; Adept is built there
# ad.hpp is on no registry, and Enzyme needs LLVM's plugin built: they run where CPATH, ENZYME_LIB and PATH have them.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(cd "${1:?the checkout of GradBench}" && pwd)
shift
[ $# -gt 0 ] || set -- manual tapenade adept codipack cppad adol-c enzyme finite jax pytorch
json=/usr/include/nlohmann/json.hpp
if [ ! -f "$dir/cpp/json.hpp" ]; then
	if [ -f $json ]; then cp $json "$dir/cpp/json.hpp"; else make -C "$dir/cpp"; fi
fi
include=${CPATH:-} lib=${LIBRARY_PATH:-}
add() { include=$1/include${include:+:$include} lib=$1/lib${lib:+:$lib}; }
PYTHON=${PYTHON:-$here/.peers/py/bin/python}
export PYTHON
for prefix in "$here"/.peers/py/lib/python*/site-packages/cmeel.prefix; do
	if [ -d "$prefix" ]; then
		add "$prefix"
		export PKG_CONFIG_PATH="$prefix/lib/pkgconfig:$prefix/share/pkgconfig"
	fi
done
if [ -n "${ADEPT:-}" ]; then
	if [ ! -d "$ADEPT/out/lib" ]; then
		(cd "$ADEPT" && autoreconf -i && CXXFLAGS="-O3 -march=native" ./configure --prefix="$PWD/out" --disable-openmp &&
			make -C adept install && make -C include install) >"$dir/adept.log" 2>&1 ||
			echo "gradbench: Adept could not be built: see $dir/adept.log" >&2
	fi
	[ ! -d "$ADEPT/out/lib" ] || add "$ADEPT/out"
fi
[ -z "${CODIPACK:-}" ] || include=$CODIPACK/include:$include
export CPATH="$include" LIBRARY_PATH="$lib" LD_LIBRARY_PATH="$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
for tool; do
	[ -f "$dir/tools/$tool/Makefile" ] || continue
	make -k -C "$dir/tools/$tool" CFLAGS="-std=c11 -O3 -march=native -I../../cpp" >"$dir/tools/$tool/build.log" 2>&1 ||
		echo "gradbench: not all of $tool could be built: see $dir/tools/$tool/build.log" >&2
done
cd "$here"
go build -o "$dir/adjoint" ./bench/gradbench
exec python3 bench/peers/gradbench.py "$dir" "$@"
