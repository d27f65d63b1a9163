package ir

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Error is what building a graph panics with and what Compile, the one-call helpers and Run return:
// the operation, what is wrong, and the user's line.
type Error struct {
	Op  string // the operation as the user wrote it, "MatMul"
	Msg string
	Pos string // file:line of the user's call, "" when unknown
	Err error  // what a user's own function returned, nil else

	graphs [2]*Graph // of operands that should have had one
}

// Beside is the other graph, where e is about values of g that met another's; nil else.
func (e *Error) Beside(g *Graph) *Graph {
	switch g {
	case nil:
	case e.graphs[0]:
		return e.graphs[1]
	case e.graphs[1]:
		return e.graphs[0]
	}
	return nil
}

// Unwrap is the error of a user's own function.
func (e *Error) Unwrap() error { return e.Err }

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

// own lists the packages whose lines are never the user's.
var own = []string{"autodiff/", "runtime/", "internal/", "nn/", "optim/", "kernels/"}

// root is the folder of this module as the compiler recorded it.
var root = func() string {
	_, file, _, _ := runtime.Caller(0)
	return strings.TrimSuffix(file, "internal/ir/error.go")
}()

// isOwn goes by the file: a closure that the compiler inlined has its caller's name.
func isOwn(f runtime.Frame) bool {
	rest, ok := strings.CutPrefix(f.File, root)
	if !ok {
		return strings.HasPrefix(f.Function, "runtime.") || strings.HasPrefix(f.Function, "reflect.")
	}
	return !strings.HasSuffix(rest, "_test.go") && slices.ContainsFunc(own, func(p string) bool { return strings.HasPrefix(rest, p) })
}

// UserLine is "file.go:31" of the innermost caller outside this module's own packages.
func UserLine() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if f.Function != "" && !isOwn(f) {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		if !more {
			return ""
		}
	}
}
