//go:build cuda && linux

// NVIDIA's libraries are found when the process runs, not when it starts: each function below is a jump through
// a slot that dlopen fills, and a slot whose library or function is not there answers with an error. That is why
// a binary with the tag starts on a machine without a driver, serves every version of the libraries, and needs
// none of them to be linked. gorgonia.org/cu, whose init ends the process where cuInit fails, is linked against
// these functions, too: its cuInit succeeds, adjoint_driver keeps what the driver's said.

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include "libraries.h"

static int no_driver(void) { return 100; } // CUDA_ERROR_NO_DEVICE
static int no_nvrtc(void) { return 11; }   // NVRTC_ERROR_INTERNAL_ERROR
static int no_cublas(void) { return 1; }   // CUBLAS_STATUS_NOT_INITIALIZED

#define DRIVER
#define F(name) void *adjoint_slot_##name = (void *)no_driver;
#include "symbols.h"
#undef DRIVER
#undef F
#define NVRTC
#define F(name) void *adjoint_slot_##name = (void *)no_nvrtc;
#include "symbols.h"
#undef NVRTC
#undef F
#define CUBLAS
#define F(name) void *adjoint_slot_##name = (void *)no_cublas;
#include "symbols.h"
#undef CUBLAS
#undef F

#if defined(__x86_64__)
#define JUMP(name) "jmp *adjoint_slot_" #name "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(name) "adrp x16, adjoint_slot_" #name "\nldr x16, [x16, :lo12:adjoint_slot_" #name "]\nbr x16\n"
#else
#error "the CUDA device is for amd64 and arm64"
#endif
#define F(name) __asm__(".text\n.globl " #name "\n.hidden " #name "\n.type " #name ", %function\n" #name ":\n" JUMP(name));
#define DRIVER
#define NVRTC
#define CUBLAS
#include "symbols.h"
#undef DRIVER
#undef NVRTC
#undef CUBLAS
#undef F

struct slot { const char *name; void **slot; };
static const struct slot driver_slots[] = {
#define DRIVER
#define F(name) { #name, &adjoint_slot_##name },
#include "symbols.h"
#undef DRIVER
#undef F
}, nvrtc_slots[] = {
#define NVRTC
#define F(name) { #name, &adjoint_slot_##name },
#include "symbols.h"
#undef NVRTC
#undef F
}, cublas_slots[] = {
#define CUBLAS
#define F(name) { #name, &adjoint_slot_##name },
#include "symbols.h"
#undef CUBLAS
#undef F
};

int adjoint_driver_status = 100, adjoint_driver_found, adjoint_driver_version, adjoint_nvrtc_found, adjoint_cublas_found;
char adjoint_driver_said[adjoint_said], adjoint_nvrtc_said[adjoint_said], adjoint_cublas_said[adjoint_said];

// fill fills slots from a library, which is returned, or says why there is none, if it is the first that is tried.
#define FILL(slots, said, name) fill(slots, sizeof slots / sizeof slots[0], said, name)
static void *fill(const struct slot *slots, size_t n, char *said, const char *name) {
	void *lib = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (lib != NULL || said[0] == 0) snprintf(said, adjoint_said, "%s", lib != NULL ? name : dlerror());
	for (size_t i = 0; lib != NULL && i < n; i++) {
		void *f = dlsym(lib, slots[i].name);
		if (f != NULL) *slots[i].slot = f;
	}
	return lib;
}

static void open_driver(void) {
	void *lib = FILL(driver_slots, adjoint_driver_said, "libcuda.so.1");
	if (lib == NULL) return;
	adjoint_driver_found = 1;
	// cuInit is not in the list: it has a body of its own here.
	int (*init)(unsigned) = (int (*)(unsigned))dlsym(lib, "cuInit"), (*version)(int *) = (int (*)(int *))dlsym(lib, "cuDriverGetVersion");
	adjoint_driver_status = init != NULL ? init(0) : 100;
	if (version != NULL) version(&adjoint_driver_version);
}

// A library of an older CUDA than the driver's serves, one of a newer does not, but for the number behind the point. names are those of
// CUDA 13, 12 and 11; where the loader does not find them they may be where CUDA's installer puts them.
#define OPEN(slots, said, ...) open_newest(slots, sizeof slots / sizeof slots[0], said, (const char *const[]){__VA_ARGS__})
static int open_newest(const struct slot *slots, size_t n, char *said, const char *const *names) {
	adjoint_open_driver();
	for (int i = 0; i < 3; i++) {
		if (adjoint_driver_found && adjoint_driver_version > 0 && 13 - i > adjoint_driver_version / 1000) continue;
		char installed[adjoint_said];
		snprintf(installed, sizeof installed, "/usr/local/cuda/lib64/%s", names[i]);
		if (fill(slots, n, said, names[i]) != NULL || fill(slots, n, said, installed) != NULL) return 1;
	}
	return 0;
}

static pthread_once_t driver_once = PTHREAD_ONCE_INIT, nvrtc_once = PTHREAD_ONCE_INIT, cublas_once = PTHREAD_ONCE_INIT;
static void open_nvrtc(void) { adjoint_nvrtc_found = OPEN(nvrtc_slots, adjoint_nvrtc_said, "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"); }
static void open_cublas(void) { adjoint_cublas_found = OPEN(cublas_slots, adjoint_cublas_said, "libcublas.so.13", "libcublas.so.12", "libcublas.so.11"); }
void adjoint_open_driver(void) { pthread_once(&driver_once, open_driver); }
void adjoint_open_nvrtc(void) { pthread_once(&nvrtc_once, open_nvrtc); }
void adjoint_open_cublas(void) { pthread_once(&cublas_once, open_cublas); }

// cuInit is what gorgonia.org/cu calls as the process starts.
__attribute__((visibility("hidden"))) int cuInit(unsigned flags) {
	adjoint_open_driver();
	return 0;
}
