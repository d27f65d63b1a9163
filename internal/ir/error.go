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
	Pos string // the user's call, "file.go:31, in LogSumExp", "" when unknown
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
		s += " (" + At(e.Op, e.Pos) + ")"
	}
	return s
}

// At is a line as UserLine gives it, without the function where that is op.
func At(op, pos string) string { return strings.TrimSuffix(pos, ", in "+op) }

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

// lastName is "Grad" of "example.com/autodiff.Grad[...].func1", which may stand behind the name of a caller that it was inlined into;
// "" where that is no exported name.
func lastName(f string) string {
	for f = strings.ReplaceAll(f, "[...]", ""); ; {
		i := strings.LastIndexByte(f, '.')
		name, _, _ := strings.Cut(f[i+1:], "-")
		switch strings.TrimRight(name, "0123456789") {
		case "", "func", "gowrap", "deferwrap":
			if i > 0 {
				f = f[:i]
				continue
			}
		}
		if name == "" || name[0] < 'A' || name[0] > 'Z' {
			return ""
		}
		return name
	}
}

// UserLine is "file.go:31, in Inverse" of the innermost caller outside this module's own packages, and what it called.
func UserLine() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	called := ""
	for {
		f, more := frames.Next()
		if f.Function != "" && !isOwn(f) {
			s := fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
			if name := lastName(called); name != "" {
				s += ", in " + name
			}
			return s
		}
		called = f.Function
		if !more {
			return ""
		}
	}
}
