//go:build cuda && linux && cgo

package driver

/*
#cgo LDFLAGS: -Wl,--as-needed -ldl
#include <stdint.h>
#include <stdlib.h>
#include <cuda.h>
#include "libraries.h"

// Streams, memory and modules belong to a context, and Go moves goroutines from thread to thread: each call begins
// by making its context the thread's.
#define IN(ctx) do { CUresult r_ = cuCtxSetCurrent(ctx); if (r_ != CUDA_SUCCESS) return r_; } while (0)

static CUresult a_alloc(CUcontext c, CUdeviceptr *p, size_t n) { IN(c); return cuMemAlloc(p, n); }
static CUresult a_free(CUcontext c, CUdeviceptr p) { IN(c); return cuMemFree(p); }
static CUresult a_room(CUcontext c, size_t *free, size_t *total) { IN(c); return cuMemGetInfo(free, total); }
static CUresult a_pin(CUcontext c, void **p, size_t n) { IN(c); return cuMemHostAlloc(p, n, CU_MEMHOSTALLOC_PORTABLE); }
static CUresult a_unpin(CUcontext c, void *p) { IN(c); return cuMemFreeHost(p); }
static CUresult a_stream(CUcontext c, CUstream *s) { IN(c); return cuStreamCreate(s, CU_STREAM_NON_BLOCKING); }
static CUresult a_stream_free(CUcontext c, CUstream s) { IN(c); return cuStreamDestroy(s); }
static CUresult a_event(CUcontext c, CUevent *e) { IN(c); return cuEventCreate(e, CU_EVENT_DISABLE_TIMING); }
static CUresult a_event_free(CUcontext c, CUevent e) { IN(c); return cuEventDestroy(e); }
static CUresult a_after(CUcontext c, CUstream s, CUstream other, CUevent e) {
	IN(c);
	CUresult r = cuEventRecord(e, other);
	return r != CUDA_SUCCESS ? r : cuStreamWaitEvent(s, e, 0);
}
static CUresult a_sync(CUcontext c, CUstream s) { IN(c); return cuStreamSynchronize(s); }
static CUresult a_to_device(CUcontext c, CUdeviceptr d, void *h, size_t n, CUstream s) { IN(c); return cuMemcpyHtoDAsync(d, h, n, s); }
static CUresult a_to_host(CUcontext c, void *h, CUdeviceptr d, size_t n, CUstream s) { IN(c); return cuMemcpyDtoHAsync(h, d, n, s); }
static CUresult a_copy(CUcontext c, CUdeviceptr d, CUdeviceptr e, size_t n, CUstream s) { IN(c); return cuMemcpyDtoDAsync(d, e, n, s); }
static CUresult a_zero(CUcontext c, CUdeviceptr d, size_t n, CUstream s) { IN(c); return cuMemsetD8Async(d, 0, n, s); }
static CUresult a_module(CUcontext c, CUmodule *m, const void *image) { IN(c); return cuModuleLoadData(m, image); }
static CUresult a_module_free(CUcontext c, CUmodule m) { IN(c); return cuModuleUnload(m); }
static CUresult a_function(CUcontext c, CUfunction *f, CUmodule m, const char *name, int shared) {
	IN(c);
	CUresult r = cuModuleGetFunction(f, m, name);
	if (r == CUDA_SUCCESS && shared > 48 << 10) r = cuFuncSetAttribute(*f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shared);
	return r;
}
// args holds n parameters of 8 bytes each.
static CUresult a_launch(CUcontext c, CUfunction f, unsigned grid, unsigned block, unsigned shared, CUstream s, uint64_t *args, int n) {
	void *p[n > 0 ? n : 1];
	for (int i = 0; i < n; i++) p[i] = &args[i];
	IN(c);
	return cuLaunchKernel(f, grid, 1, 1, block, 1, 1, shared, s, p, NULL);
}
// A capture of one thread does not hinder what others do meanwhile, such as allocating; the goroutine is locked to it.
static CUresult a_begin(CUcontext c, CUstream s) { IN(c); return cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED); }
static CUresult a_end(CUcontext c, CUstream s, CUgraphExec *x) {
	IN(c);
	CUgraph g = NULL;
	CUresult r = cuStreamEndCapture(s, &g);
	if (r == CUDA_SUCCESS) r = cuGraphInstantiateWithFlags(x, g, 0);
	if (g != NULL) cuGraphDestroy(g);
	return r;
}
static CUresult a_replay(CUcontext c, CUgraphExec x, CUstream s) { IN(c); return cuGraphLaunch(x, s); }
static CUresult a_graph_free(CUcontext c, CUgraphExec x) { IN(c); return cuGraphExecDestroy(x); }

static const char *a_error(int code) {
	const char *name = NULL;
	return cuGetErrorName((CUresult)code, &name) == CUDA_SUCCESS ? name : NULL;
}
*/
import "C"

import (
	"fmt"
	"slices"
	"unsafe"
)

// Error is a status of the driver or of cuBLAS that is not success.
type Error struct {
	Call string
	Code int
	blas bool
}

func (e *Error) Error() string {
	if e.blas {
		return fmt.Sprintf("cuda: %s: cuBLAS status %d", e.Call, e.Code)
	}
	s := fmt.Sprintf("cuda: %s: %s", e.Call, named(e.Code))
	if slices.Contains(lost, e.Code) {
		s += " (until this process ends, all that it asks of this GPU fails; the CPU and other GPUs serve)"
	}
	return s
}

// named is a status of the driver by its name.
func named(code int) string {
	if name := C.a_error(C.int(code)); name != nil {
		return C.GoString(name)
	}
	return fmt.Sprintf("error %d", code)
}

// lost are the errors after which CUDA gives a context up: "to continue using CUDA, the process must be terminated and relaunched".
var lost = []int{C.CUDA_ERROR_ILLEGAL_ADDRESS, C.CUDA_ERROR_LAUNCH_TIMEOUT, C.CUDA_ERROR_ASSERT, C.CUDA_ERROR_HARDWARE_STACK_ERROR,
	C.CUDA_ERROR_ILLEGAL_INSTRUCTION, C.CUDA_ERROR_MISALIGNED_ADDRESS, C.CUDA_ERROR_INVALID_ADDRESS_SPACE, C.CUDA_ERROR_INVALID_PC,
	C.CUDA_ERROR_LAUNCH_FAILED, C.CUDA_ERROR_ECC_UNCORRECTABLE}

// Full reports whether there was no memory: CUDA_ERROR_OUT_OF_MEMORY, CUBLAS_STATUS_ALLOC_FAILED, and what cublasCreate says where
// a nearly full device has no room for it, CUBLAS_STATUS_NOT_INITIALIZED.
func (e *Error) Full() bool {
	return e.Code == C.CUDA_ERROR_OUT_OF_MEMORY && !e.blas || e.blas && (e.Code == 3 || e.Code == 1 && e.Call == "cublasCreate")
}

// Interrupted reports whether a recording ended because of what another thread did, such as waiting for the whole device.
func (e *Error) Interrupted() bool {
	return !e.blas && (e.Code == C.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED || e.Code == C.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED)
}

// Unsupported reports whether cuBLAS has no such product on the device: CUBLAS_STATUS_NOT_SUPPORTED, CUBLAS_STATUS_ARCH_MISMATCH.
func (e *Error) Unsupported() bool { return e.blas && (e.Code == 15 || e.Code == 8) }

func check(call string, r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	return &Error{call, int(r), false}
}

// Driver looks for the driver and says why it cannot be used, if so.
func Driver() error {
	C.adjoint_open_driver()
	switch {
	case C.adjoint_driver_found == 0:
		return fmt.Errorf("cuda: no NVIDIA driver: %s", C.GoString(&C.adjoint_driver_said[0]))
	case C.adjoint_driver_status == C.CUDA_ERROR_NO_DEVICE:
		return fmt.Errorf("cuda: the NVIDIA driver finds no device")
	case C.adjoint_driver_status != 0:
		return fmt.Errorf("cuda: the NVIDIA driver does not start: %s", named(int(C.adjoint_driver_status)))
	}
	return nil
}

// forDriver says of which CUDA libraries have to be.
func forDriver() string {
	if v := int(C.adjoint_driver_version); v > 0 {
		return fmt.Sprintf(" for the driver's CUDA %d.%d or an older one", v/1000, v%1000/10)
	}
	return ""
}

// Context is a device's primary context.
type Context struct{ c C.CUcontext }

// Retain makes the context of a device, by number.
func Retain(device int) (Context, error) {
	var d C.CUdevice
	var c C.CUcontext
	err := check("cuDeviceGet", C.cuDeviceGet(&d, C.int(device)))
	if err == nil {
		err = check("cuDevicePrimaryCtxRetain", C.cuDevicePrimaryCtxRetain(&c, d))
	}
	return Context{c}, err
}

// Alloc returns the address of n bytes.
func (c Context) Alloc(n int) (uint64, error) {
	var p C.CUdeviceptr
	err := check("cuMemAlloc", C.a_alloc(c.c, &p, C.size_t(n)))
	return uint64(p), err
}

// Free gives memory back.
func (c Context) Free(p uint64) error { return check("cuMemFree", C.a_free(c.c, C.CUdeviceptr(p))) }

// Room is how many bytes of the device are free, of how many.
func (c Context) Room() (free, total int, err error) {
	var f, t C.size_t
	err = check("cuMemGetInfo", C.a_room(c.c, &f, &t))
	return int(f), int(t), err
}

// Pin returns n bytes of the host that devices copy from and to by themselves.
func (c Context) Pin(n int) (unsafe.Pointer, error) {
	var p unsafe.Pointer
	err := check("cuMemHostAlloc", C.a_pin(c.c, &p, C.size_t(n)))
	return p, err
}

// Unpin gives such bytes back.
func (c Context) Unpin(p unsafe.Pointer) error { return check("cuMemFreeHost", C.a_unpin(c.c, p)) }

// Module is loaded code.
type Module struct{ m C.CUmodule }

// Function is a kernel in it.
type Function struct{ f C.CUfunction }

// Load loads a cubin.
func (c Context) Load(image []byte) (Module, error) {
	var m C.CUmodule
	err := check("cuModuleLoadData", C.a_module(c.c, &m, unsafe.Pointer(unsafe.SliceData(image))))
	return Module{m}, err
}

// Unload is the opposite of Load.
func (c Context) Unload(m Module) error { return check("cuModuleUnload", C.a_module_free(c.c, m.m)) }

// Function finds a kernel that takes up to shared bytes of dynamic shared memory.
func (c Context) Function(m Module, name string, shared int) (Function, error) {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	var f C.CUfunction
	err := check("cuModuleGetFunction", C.a_function(c.c, &f, m.m, s, C.int(shared)))
	return Function{f}, err
}

// Stream is a queue of work.
type Stream struct {
	c C.CUcontext
	s C.CUstream
	e C.CUevent // of After
}

// Stream makes one that does not wait for the default stream.
func (c Context) Stream() (Stream, error) {
	s := Stream{c: c.c}
	if err := check("cuStreamCreate", C.a_stream(c.c, &s.s)); err != nil {
		return s, err
	}
	if err := check("cuEventCreate", C.a_event(c.c, &s.e)); err != nil {
		C.a_stream_free(c.c, s.s)
		return s, err
	}
	return s, nil
}

// Close waits for nothing.
func (s Stream) Close() {
	C.a_event_free(s.c, s.e)
	C.a_stream_free(s.c, s.s)
}

// After lets what is queued from now on wait for what other holds now.
func (s Stream) After(other Stream) error {
	return check("cuStreamWaitEvent", C.a_after(s.c, s.s, other.s, s.e))
}

// Wait waits until the queue is empty.
func (s Stream) Wait() error { return check("cuStreamSynchronize", C.a_sync(s.c, s.s)) }

// ToDevice queues a copy from pinned memory.
func (s Stream) ToDevice(to uint64, from unsafe.Pointer, n int) error {
	return check("cuMemcpyHtoDAsync", C.a_to_device(s.c, C.CUdeviceptr(to), from, C.size_t(n), s.s))
}

// ToHost queues a copy to pinned memory.
func (s Stream) ToHost(to unsafe.Pointer, from uint64, n int) error {
	return check("cuMemcpyDtoHAsync", C.a_to_host(s.c, to, C.CUdeviceptr(from), C.size_t(n), s.s))
}

// Copy queues a copy within a device.
func (s Stream) Copy(to, from uint64, n int) error {
	return check("cuMemcpyDtoDAsync", C.a_copy(s.c, C.CUdeviceptr(to), C.CUdeviceptr(from), C.size_t(n), s.s))
}

// Zero queues the writing of zeros.
func (s Stream) Zero(to uint64, n int) error {
	return check("cuMemsetD8Async", C.a_zero(s.c, C.CUdeviceptr(to), C.size_t(n), s.s))
}

// Launch queues a kernel; every argument takes 8 bytes.
func (s Stream) Launch(f Function, grid, block, shared int, args []uint64) error {
	return check("cuLaunchKernel", C.a_launch(s.c, f.f, C.uint(grid), C.uint(block), C.uint(shared), s.s,
		(*C.uint64_t)(unsafe.SliceData(args)), C.int(len(args))))
}

// Begin has what is queued recorded, not done. The goroutine stays on its thread until End.
func (s Stream) Begin() error { return check("cuStreamBeginCapture", C.a_begin(s.c, s.s)) }

// Graph is what was recorded, to be replayed.
type Graph struct{ g C.CUgraphExec }

// End ends the recording.
func (s Stream) End() (Graph, error) {
	var g Graph
	err := check("cuGraphInstantiate", C.a_end(s.c, s.s, &g.g))
	return g, err
}

// Replay queues a graph.
func (s Stream) Replay(g Graph) error { return check("cuGraphLaunch", C.a_replay(s.c, g.g, s.s)) }

// Drop frees a graph.
func (c Context) Drop(g Graph) { C.a_graph_free(c.c, g.g) }
