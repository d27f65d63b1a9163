package ir

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// Error is what building a graph panics with and what Compile, the one-call helpers and Run return:
// the operation, what is wrong, and the user's line.
type Error struct {
	Op  string // the operation as the user wrote it, "MatMul"
	Msg string
	Pos string // file:line of the user's call, "" when unknown
}

func (e *Error) Error() string {
	s := "autodiff: "
	if e.Op != "" {
		s += e.Op + " "
	}
	s += e.Msg
	if e.Pos != "" {
		s += " (" + e.Pos + ")"
	}
	return s
}

// Fail panics with an Error at the caller's line. The message follows the op's name: it starts with
// the shapes.
func Fail(op, format string, args ...any) {
	panic(&Error{Op: op, Msg: fmt.Sprintf(format, args...), Pos: UserLine()})
}

const module = "github.com/adjoint-go/adjoint/"

// own lists the packages whose frames are never the user's line.
var own = []string{"autodiff.", "runtime.", "internal/", "nn.", "optim.", "kernels."}

func isOwn(function string) bool {
	rest, ok := strings.CutPrefix(function, module)
	if !ok {
		return strings.HasPrefix(function, "runtime.") || strings.HasPrefix(function, "reflect.")
	}
	for _, p := range own {
		if strings.HasPrefix(rest, p) {
			return true
		}
	}
	return false
}

// UserLine is "file.go:31" of the innermost caller outside this module's own packages.
func UserLine() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if f.Function != "" && (!isOwn(f.Function) || strings.HasSuffix(f.File, "_test.go")) {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		if !more {
			return ""
		}
	}
}
