//go:build cuda && linux && cgo

package driver

/*
#include <stdlib.h>
#include "libraries.h"

// Of nvrtc.h, whose package no other part of the build needs.
typedef struct _nvrtcProgram *nvrtcProgram;
int nvrtcVersion(int *, int *);
int nvrtcCreateProgram(nvrtcProgram *, const char *, const char *, int, const char *const *, const char *const *);
int nvrtcDestroyProgram(nvrtcProgram *);
int nvrtcCompileProgram(nvrtcProgram, int, const char *const *);
int nvrtcGetCUBINSize(nvrtcProgram, size_t *);
int nvrtcGetCUBIN(nvrtcProgram, char *);
int nvrtcGetPTXSize(nvrtcProgram, size_t *);
int nvrtcGetPTX(nvrtcProgram, char *);
int nvrtcGetNumSupportedArchs(int *);
int nvrtcGetSupportedArchs(int *);
int nvrtcGetProgramLogSize(nvrtcProgram, size_t *);
int nvrtcGetProgramLog(nvrtcProgram, char *);
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

// NVRTC finds the compiler and tells its version, such as "12.9".
func NVRTC() (version string, err error) {
	C.adjoint_open_nvrtc()
	if C.adjoint_nvrtc_found == 0 {
		return "", fmt.Errorf("cuda: no NVRTC, the run-time compiler of CUDA,%s: %s", forDriver(), C.GoString(&C.adjoint_nvrtc_said[0]))
	}
	var major, minor C.int
	if C.nvrtcVersion(&major, &minor) != 0 {
		return "", errors.New("cuda: NVRTC tells no version")
	}
	return fmt.Sprintf("%d.%d", major, minor), nil
}

// Archs lists the architectures that the compiler makes code for, such as 80.
func Archs() ([]int, error) {
	if _, err := NVRTC(); err != nil {
		return nil, err
	}
	var n C.int
	if r := C.nvrtcGetNumSupportedArchs(&n); r != 0 {
		return nil, fmt.Errorf("cuda: nvrtcGetNumSupportedArchs: error %d", int(r))
	}
	archs := make([]C.int, n+1)
	if r := C.nvrtcGetSupportedArchs(&archs[0]); r != 0 {
		return nil, fmt.Errorf("cuda: nvrtcGetSupportedArchs: error %d", int(r))
	}
	list := make([]int, n)
	for i := range list {
		list[i] = int(archs[i])
	}
	return list, nil
}

// Compile makes code of CUDA C++: a cubin where options include --gpu-architecture=sm_…, PTX for compute_….
func Compile(source string, options []string, ptx bool) ([]byte, error) {
	if _, err := NVRTC(); err != nil {
		return nil, err
	}
	text, name := C.CString(source), C.CString("kernel.cu")
	defer C.free(unsafe.Pointer(text))
	defer C.free(unsafe.Pointer(name))
	var p C.nvrtcProgram
	if r := C.nvrtcCreateProgram(&p, text, name, 0, nil, nil); r != 0 {
		return nil, fmt.Errorf("cuda: nvrtcCreateProgram: error %d", int(r))
	}
	defer C.nvrtcDestroyProgram(&p)
	args := (*[1 << 10]*C.char)(C.malloc(C.size_t(len(options)+1) * C.size_t(unsafe.Sizeof((*C.char)(nil)))))
	defer C.free(unsafe.Pointer(args))
	for i, o := range options {
		args[i] = C.CString(o)
		defer C.free(unsafe.Pointer(args[i]))
	}
	if r := C.nvrtcCompileProgram(p, C.int(len(options)), &args[0]); r != 0 {
		var n C.size_t
		C.nvrtcGetProgramLogSize(p, &n)
		log := make([]byte, n+1)
		C.nvrtcGetProgramLog(p, (*C.char)(unsafe.Pointer(&log[0])))
		said, _, _ := strings.Cut(string(log), "\x00")
		return nil, fmt.Errorf("cuda: NVRTC, error %d: %s", int(r), said)
	}
	var n C.size_t
	if ptx {
		C.nvrtcGetPTXSize(p, &n)
	} else {
		C.nvrtcGetCUBINSize(p, &n)
	}
	if n == 0 {
		return nil, errors.New("cuda: NVRTC made no code")
	}
	code := make([]byte, n)
	var r C.int
	if ptx {
		r = C.nvrtcGetPTX(p, (*C.char)(unsafe.Pointer(&code[0])))
	} else {
		r = C.nvrtcGetCUBIN(p, (*C.char)(unsafe.Pointer(&code[0])))
	}
	if r != 0 {
		return nil, fmt.Errorf("cuda: NVRTC's code, error %d", int(r))
	}
	return code, nil
}
