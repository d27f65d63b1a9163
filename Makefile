GO ?= go
export CGO_ENABLED ?= 0

.PHONY: run test check exhaustive generate bench bench-peers peers cuda-toolchain test-cuda

# The main job: a network learns handwritten digits.
run:
	$(GO) run ./examples/mnist

# Every level the machine has, pure Go alone, the race detector, and the other platforms' builds.
test:
	$(GO) test ./...
	$(GO) test -tags purego ./...
	$(GO) test -tags nojit -short ./runtime ./internal/jit/...
	@if command -v $$($(GO) env CC) >/dev/null; then set -x; \
		CGO_ENABLED=1 $(GO) test -race -short -timeout 20m ./internal/... ./kernels/... ./blas/... ./runtime/... ./autodiff/... ./nn/... ./optim/...; \
	else echo "NOT RUN: the race detector needs a C compiler, and there is none here"; fi
	@if test -d "$(CUDA)/include"; then $(MAKE) --no-print-directory test-cuda; \
	else echo "NOT RUN: the tag cuda needs CUDA's headers (make cuda-toolchain, 0.5 GB; no GPU)"; fi
	GOARCH=arm64 $(GO) build ./...
	@for os in darwin windows freebsd; do set -x; \
		GOOS=$$os GOARCH=amd64 $(GO) build ./... && GOOS=$$os GOARCH=amd64 $(GO) vet ./internal/jit/... ./runtime || exit; done

check:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags purego ./...
	$(GO) vet -tags nojit ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.7.0 ./...
	$(GO) test -count=1 -run Stale ./asm
	$(GO) test -count=1 ./internal/docs

# All 2^32 arguments of every float32 function, and 2^30 samples of the float64 ones (held to glibc, by gcc); machine code of all CUDA
# kernels by both compilers; whole test suites on an emulated GPU.
exhaustive:
	ADJOINT_EXHAUSTIVE=1 $(GO) test ./kernels -run Accuracy -v -timeout 5h
	ADJOINT_EXHAUSTIVE=1 $(GO) test ./internal/cudasrc -run MachineCode -v -timeout 5h
	@if test -d "$(CUDA)/include"; then set -x; $(CUDA_ENV) ADJOINT_EXHAUSTIVE=1 $(GO) test -tags cuda ./cuda -run Suites -v -timeout 5h; \
	else echo "NOT RUN: the emulated GPU needs CUDA's headers (make cuda-toolchain, 0.5 GB)"; fi

# asm2plan9s, a tool of go.mod, wants GNU as; only what is stale is written.
generate:
	$(GO) generate ./...

# RUN=… picks cases by a regular expression, ARGS=… adds flags (go run ./bench -h).
bench:
	$(GO) run ./bench $(if $(RUN),-run '$(RUN)') -results bench/results $(ARGS)

bench-peers:
	$(GO) run ./bench -peers $(if $(RUN),-run '$(RUN)') -results bench/results $(ARGS)

# The peers go into .peers (about 6 GB, most of it CUDA libraries that PyTorch does not start without).
# What cannot be installed is shown as missing by bench-peers.
PYTHON ?= python3
DEBIAN_LIB := /usr/lib/x86_64-linux-gnu
DEBIAN_INC := /usr/include/x86_64-linux-gnu
PYPI_LIB = -I.peers/py/include -Wl,-rpath,'$$ORIGIN/../py/lib'
PEER_CC = gcc -O3 -Wall -Wno-unused-function -march=native -mprefer-vector-width=512
peers:
	mkdir -p .peers/bin
	test -x .peers/py/bin/python || $(PYTHON) -m venv .peers/py
	-.peers/py/bin/pip install --no-cache-dir -r bench/peers/requirements.txt
	-dpkg -s libopenblas-pthread-dev libblis-openmp-dev >/dev/null 2>&1 || \
		{ apt-get update && apt-get install -y libopenblas-pthread-dev libblis-openmp-dev; }
	-$(PEER_CC) -ffast-math bench/peers/c/pointwise.c -o .peers/bin/libmvec -lm
	-$(PEER_CC) -I$(DEBIAN_INC)/openblas-pthread bench/peers/c/gemm.c -o .peers/bin/openblas $(DEBIAN_LIB)/openblas-pthread/libopenblas.so
	-$(PEER_CC) -DBLIS -I$(DEBIAN_INC)/blis-openmp bench/peers/c/gemm.c -o .peers/bin/blis $(DEBIAN_LIB)/blis-openmp/libblis.so
	-$(PEER_CC) -DMKL $(PYPI_LIB) bench/peers/c/gemm.c -o .peers/bin/mkl .peers/py/lib/libmkl_rt.so.*
	-$(PEER_CC) $(PYPI_LIB) bench/peers/c/vml.c -o .peers/bin/vml .peers/py/lib/libmkl_rt.so.*
	-$(PEER_CC) $(PYPI_LIB) bench/peers/c/onednn.c -o .peers/bin/onednn .peers/py/lib/libdnnl.so
	-cd bench/peers/go && $(GO) build -o ../../../.peers/bin/gopeers .

# CUDA's compilers, headers and NVRTC go into .cuda (0.5 GB; CUBLAS=1 adds 1 GB). No GPU is needed. MAJOR is 11, 12 or 13.
MAJOR ?= 13
cuda-toolchain:
	cuda/toolchain.sh $(MAJOR)

# With the tag cuda: on a machine without a GPU what needs none, on one with a GPU everything.
CUDA ?= $(if $(wildcard .cuda/include),$(CURDIR)/.cuda,/usr/local/cuda)
export ADJOINT_CUDA = $(CUDA)
CUDA_ENV = CGO_ENABLED=1 CGO_CFLAGS="-O2 -I$(CURDIR)/cuda/include -I$(CUDA)/include" \
	CGO_LDFLAGS="-L$(CUDA)/lib/stubs -L$(CUDA)/lib64/stubs" LD_LIBRARY_PATH="$(CUDA)/lib:$(CUDA)/lib64:$$LD_LIBRARY_PATH"
test-cuda:
	$(CUDA_ENV) $(GO) vet -tags cuda ./cuda/... ./runtime/... ./autodiff/...
	$(CUDA_ENV) $(GO) test -tags cuda ./cuda/...
	$(CUDA_ENV) $(GO) test -tags cuda -run 'Device|GPU' ./runtime ./autodiff
	@if test -e /dev/nvidiactl; then set -x; $(CUDA_ENV) $(GO) test -tags cuda -timeout 2h ./autodiff ./nn ./optim; \
	else echo "NOT RUN: whole suites on a GPU (make exhaustive has them on an emulated one)"; fi
