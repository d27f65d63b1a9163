package blas

import (
	"runtime"
	"sync"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/kept"
	"github.com/adjoint-go/adjoint/kernels"
)

type float interface{ float32 | float64 }

func sizeOf[T float]() int { return int(unsafe.Sizeof(T(0))) }

func typeOf[T float]() dtype.Type {
	if sizeOf[T]() == 4 {
		return dtype.F32
	}
	return dtype.F64
}

// matrix is a view of elements that stand row and col elements apart, either of which may be negative.
type matrix[T float] struct {
	p        unsafe.Pointer
	row, col int
}

func dense[T float](a []T, ld int) matrix[T] {
	return matrix[T]{unsafe.Pointer(unsafe.SliceData(a)), ld, 1}
}

// column is a vector of n elements as gonum has them: with a negative increment the first one is last.
func column[T float](x []T, n, inc int) matrix[T] {
	m := matrix[T]{unsafe.Pointer(unsafe.SliceData(x)), inc, 1}
	if inc < 0 {
		m.p = unsafe.Add(m.p, (1-n)*inc*sizeOf[T]())
	}
	return m
}

func (a matrix[T]) at(i, j int) matrix[T] {
	a.p = unsafe.Add(a.p, (i*a.row+j*a.col)*sizeOf[T]())
	return a
}

func (a matrix[T]) t() matrix[T]         { return matrix[T]{a.p, a.col, a.row} }
func (a matrix[T]) value() T             { return *(*T)(a.p) }
func (a matrix[T]) contiguous(n int) []T { return unsafe.Slice((*T)(a.p), n) }
func (a matrix[T]) transposed(b bool) matrix[T] {
	if b {
		return a.t()
	}
	return a
}

// level is the one that ADJOINT_LEVEL names, or the best.
var level = sync.OnceValue(func() *kernels.Level {
	l, err := kernels.Select("")
	if err != nil {
		panic("blas: " + err.Error())
	}
	return l
})

// A job has what one call needs and is used by one after the other.
type job struct {
	team
	g       kernels.Gemm
	level   *kernels.Level
	plan    kernels.GemmPlan
	gemm    kernels.GemmRun
	memory  []uint64 // of gemm
	scaled  []uint64 // of direct
	scratch []uint64 // of who calls product
	tri32   triangle[float32]
	tri64   triangle[float64]
	rank32  rankK[float32]
	rank64  rankK[float64]
	number  float64 // or a float32: of a kernel, whose arguments have to have an address
}

var jobs kept.List[job]

func begin() *job {
	j := jobs.Take()
	if j == nil {
		j = new(job)
		j.team.init()
		j.gemm.Plan = &j.plan
	}
	return j
}

func (j *job) end() {
	j.gemm.A, j.gemm.B, j.gemm.C, j.work = nil, nil, nil, nil
	jobs.Put(j)
}

func (j *job) tasks(phase int) int {
	if phase >= j.plan.Phases() {
		return 0
	}
	return j.plan.Tasks(phase)
}

func (j *job) do(phase, worker, task int) { j.gemm.Do(phase, worker, task) }

// aligned returns n bytes of *s, 64-byte aligned, *s being enlarged where it is too short.
func aligned(s *[]uint64, n int) unsafe.Pointer {
	if len(*s)*8 < n+64 {
		*s = make([]uint64, n/8+8+n/32)
	}
	p := unsafe.Pointer(unsafe.SliceData(*s))
	return unsafe.Add(p, -uintptr(p)&63)
}

// all is for product's workers: as many as there are processors, where it is worth it.
const all = 0

// parallelWork is the number of fused multiply-adds from which a helper's start is worth it.
const parallelWork = 1 << 20

// product is C = alpha·A·B + beta·C for A m×k, B k×n, C m×n with contiguous rows, or a column; where beta is
// 0, C is not read. A's elements are multiplied by alpha and rounded first, or, where n is 1, B's.
func product[T float](j *job, workers, m, n, k int, alpha T, a, b matrix[T], beta T, c matrix[T]) {
	if m == 0 || n == 0 {
		return
	}
	if direct(j, m, n, k, alpha, a, b, beta, c) {
		return
	}
	if workers == all {
		workers = 1
		if m*n*k >= parallelWork {
			workers = runtime.GOMAXPROCS(0)
		}
	}
	g := kernels.Gemm{Type: typeOf[T](), Batch: 1, M: m, N: n, K: k, ARow: a.row, ACol: a.col, BRow: b.row, BCol: b.col,
		CRow: c.row, Scaled: alpha != 1, Minus: alpha == -1}
	if l := level(); g != j.g || l != j.level {
		j.g, j.level = g, l
		j.plan.Make(l, g)
	}
	r := &j.gemm
	for len(r.Worker) < workers {
		r.Worker = append(r.Worker, nil)
	}
	p := aligned(&j.memory, j.plan.SharedBytes+workers*j.plan.WorkerBytes)
	r.Shared = p
	for w := range workers {
		r.Worker[w] = unsafe.Add(p, j.plan.SharedBytes+w*j.plan.WorkerBytes)
	}
	r.A, r.B, r.C, r.Alpha, r.Beta = a.p, b.p, c.p, float64(alpha), float64(beta)
	j.team.run(j, workers)
}

// directWork is the number of fused multiply-adds up to which a plan takes longer than it saves.
const directWork = 1 << 15

// direct is product where the kernels can be called on what is there, without a plan: it is small, or has one
// row or column, and B's rows, or A's where B is a column, are contiguous.
func direct[T float](j *job, m, n, k int, alpha T, a, b matrix[T], beta T, c matrix[T]) bool {
	work := m * n * k
	switch {
	case k == 0 || work >= parallelWork:
		return false
	case n == 1:
		if a.col != 1 && k > 1 {
			return false
		}
	case b.col != 1 || m > 1 && work > directWork:
		return false
	}
	kernel, size := level().Kernel(typeOf[T]()), sizeOf[T]()
	if beta != 0 && beta != 1 {
		for i := range m {
			scale(c.at(i, 0).contiguous(n), beta)
		}
	}
	if n == 1 {
		if alpha != 1 || b.row != 1 && k > 1 {
			b = scaled(j, k, 1, alpha, b)
		}
		for k0 := 0; k0 < k; k0 += kernels.DotBlock {
			kernel.Dot(min(kernels.DotBlock, k-k0), a.at(0, k0).p, a.row*size, b.at(k0, 0).p, c.p, c.row*size, m, beta != 0 || k0 > 0)
		}
		return true
	}
	if alpha != 1 {
		a = scaled(j, m, k, alpha, a)
	}
	rows := 0 // columns that Row takes
	if m == 1 && kernel.Row != nil {
		rows = n &^ (kernels.RowPad - 1)
	}
	for k0 := 0; k0 < k; k0 += kernels.KC {
		kc, add := min(kernels.KC, k-k0), beta != 0 || k0 > 0
		a, b := a.at(0, k0), b.at(k0, 0)
		if rows > 0 {
			kernel.Row(kc, a.p, a.col*size, b.p, b.row*size, c.p, rows, add)
		}
		for j := rows; j < n; j += kernel.NR {
			kernel.Strip(kc, a.p, a.row*size, a.col*size, a.row*size*kernel.MR, b.at(0, j).p, b.row*size, c.at(0, j).p, c.row*size,
				m, min(kernel.NR, n-j), add, nil, 0, 0)
		}
	}
	return true
}

func scale[T float](x []T, by T) {
	for i := range x {
		x[i] *= by
	}
}

// scaled is alpha·A, its rows contiguous.
func scaled[T float](j *job, m, n int, alpha T, a matrix[T]) matrix[T] {
	to := matrix[T]{aligned(&j.scaled, m*n*sizeOf[T]()), n, 1}
	for i := range m {
		row := to.at(i, 0).contiguous(n)
		for j := range row {
			row[j] = alpha * a.at(i, j).value()
		}
	}
	return to
}
