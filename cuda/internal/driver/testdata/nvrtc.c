// Fails to compile where NVIDIA's header has other prototypes than ../nvrtc.go.
#include <nvrtc.h>

_Static_assert(sizeof(nvrtcResult) == sizeof(int) && sizeof(nvrtcProgram) == sizeof(void *) && NVRTC_SUCCESS == 0, "types");
nvrtcResult (*version)(int *, int *) = nvrtcVersion;
nvrtcResult (*create)(nvrtcProgram *, const char *, const char *, int, const char *const *, const char *const *) = nvrtcCreateProgram;
nvrtcResult (*destroy)(nvrtcProgram *) = nvrtcDestroyProgram;
nvrtcResult (*compile)(nvrtcProgram, int, const char *const *) = nvrtcCompileProgram;
nvrtcResult (*cubin_size)(nvrtcProgram, size_t *) = nvrtcGetCUBINSize, (*ptx_size)(nvrtcProgram, size_t *) = nvrtcGetPTXSize,
	(*log_size)(nvrtcProgram, size_t *) = nvrtcGetProgramLogSize;
nvrtcResult (*cubin)(nvrtcProgram, char *) = nvrtcGetCUBIN, (*ptx)(nvrtcProgram, char *) = nvrtcGetPTX, (*text)(nvrtcProgram, char *) = nvrtcGetProgramLog;
nvrtcResult (*archs_known)(int *) = nvrtcGetNumSupportedArchs, (*archs)(int *) = nvrtcGetSupportedArchs;
