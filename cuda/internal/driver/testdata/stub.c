// A driver that finds no device: enough to link against, and to see what a program says then.
#define F(name) int name(void) { return 100; } // CUDA_ERROR_NO_DEVICE
#define DRIVER
#include "../symbols.h"
int cuInit(unsigned flags) { return 100; }
