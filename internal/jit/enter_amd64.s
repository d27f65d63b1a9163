//go:build amd64 && (linux || darwin || freebsd || windows) && !nojit && !purego

#include "textflag.h"

// func enter(entry uintptr, args unsafe.Pointer)
// The code touches neither the stack nor BP; what it does to R14 and X15 the caller's wrapper mends.
TEXT ·enter(SB), NOSPLIT, $0-16
	MOVQ entry+0(FP), AX
	MOVQ args+8(FP), DI
	CALL AX
	RET
