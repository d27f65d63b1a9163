#!/usr/bin/env bash
# toolchain.sh [11|12|13] [folder]: puts NVIDIA's compilers, headers and NVRTC, from PyPI, into a folder of
# include, lib, bin and nvvm, with a stub of the driver in lib/stubs. CUBLAS=1 adds cuBLAS (1 GB unpacked).
# What it makes needs no GPU; CUDA's licence applies to what it fetches.
set -euo pipefail
cd "$(dirname "$0")/.."
major=${1:-13} to=${2:-.cuda}
python=${PYTHON:-python3}
case $major in
13) suffix= parts="nvcc nvrtc runtime crt" more=nvidia-nvvm ;;
11 | 12) suffix=-cu$major parts="nvcc nvrtc runtime" more= ;;
*) echo "CUDA $major: there are 11, 12 and 13" >&2; exit 1 ;;
esac
packages=$more
for p in $parts; do packages+=" nvidia-cuda-$p$suffix"; done
if [ "${CUBLAS:-}" = 1 ]; then packages+=" nvidia-cublas$suffix"; fi

new=$to.new
rm -rf "$new"
mkdir -p "$new/wheels" "$new/include" "$new/lib/stubs" "$new/bin"
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$new/wheels" $packages
for w in "$new"/wheels/*.whl; do
	"$python" -m zipfile -e "$w" "$new/wheels/x"
done
# A package has its files in nvidia/<one folder>: they become one tree.
for d in "$new"/wheels/x/nvidia/*/; do
	for part in include lib bin nvvm; do
		if [ -d "$d$part" ]; then mkdir -p "$new/$part"; cp -r "$d$part/." "$new/$part/"; fi
	done
done
chmod +x "$new"/bin/* "$new"/nvvm/bin/* 2>/dev/null || true
ls "$new/wheels" | grep '\.whl$' > "$new/versions"
rm -rf "$new/wheels"
for l in "$new"/lib/lib*.so.[0-9]*; do # the linker wants names without versions
	name=${l##*/}
	ln -sf "$name" "${l%%.so.*}.so"
done
"${CC:-gcc}" -shared -fPIC -O1 -Wl,-soname,libcuda.so.1 -I cuda/include -o "$new/lib/stubs/libcuda.so.1" cuda/internal/driver/testdata/stub.c
ln -sf libcuda.so.1 "$new/lib/stubs/libcuda.so"
rm -rf "$to"
mv "$new" "$to"
echo "CUDA $major in $to:"
sed 's/^/  /' "$to/versions"
