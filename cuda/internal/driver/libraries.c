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

// open_first fills slots from the first of the libraries that there is, and says which, or why there is none.
#define OPEN(slots, said, ...) open_first(slots, sizeof slots / sizeof slots[0], said, (const char *[]){__VA_ARGS__, NULL})
static int open_first(const struct slot *slots, size_t n, char *said, const char **names) {
	void *lib = NULL;
	for (; *names != NULL && lib == NULL; names++) {
		lib = dlopen(*names, RTLD_NOW | RTLD_LOCAL);
		if (lib != NULL || said[0] == 0) {
			const char *why = lib != NULL ? *names : dlerror();
			snprintf(said, adjoint_said, "%s", why);
		}
	}
	if (lib == NULL) {
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		void *f = dlsym(lib, slots[i].name);
		if (f != NULL) {
			*slots[i].slot = f;
		}
	}
	// cuInit is not in the list: it has a body of its own here.
	if (slots == driver_slots) {
		int (*init)(unsigned) = (int (*)(unsigned))dlsym(lib, "cuInit");
		adjoint_driver_status = init != NULL ? init(0) : 100;
	}
	return 1;
}

int adjoint_driver_status = 100, adjoint_driver_found, adjoint_nvrtc_found, adjoint_cublas_found;
char adjoint_driver_said[adjoint_said], adjoint_nvrtc_said[adjoint_said], adjoint_cublas_said[adjoint_said];

static pthread_once_t driver_once = PTHREAD_ONCE_INIT, nvrtc_once = PTHREAD_ONCE_INIT, cublas_once = PTHREAD_ONCE_INIT;
static void open_driver(void) { adjoint_driver_found = OPEN(driver_slots, adjoint_driver_said, "libcuda.so.1"); }
static void open_nvrtc(void) {
	adjoint_nvrtc_found = OPEN(nvrtc_slots, adjoint_nvrtc_said, "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so");
}
static void open_cublas(void) {
	adjoint_cublas_found = OPEN(cublas_slots, adjoint_cublas_said, "libcublas.so.13", "libcublas.so.12", "libcublas.so.11", "libcublas.so");
}
void adjoint_open_driver(void) { pthread_once(&driver_once, open_driver); }
void adjoint_open_nvrtc(void) { pthread_once(&nvrtc_once, open_nvrtc); }
void adjoint_open_cublas(void) { pthread_once(&cublas_once, open_cublas); }

// cuInit is what gorgonia.org/cu calls as the process starts.
__attribute__((visibility("hidden"))) int cuInit(unsigned flags) {
	adjoint_open_driver();
	return 0;
}
