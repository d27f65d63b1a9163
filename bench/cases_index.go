package main

import (
	"slices"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// Operations that find elements by indices or by their values: on [indexSize, indexSize] floats, with indices for rows, for each
// row's elements, or for all elements.
const (
	indexSize, indexAll = 1000, 1000 * 1000
	indexEdges          = 101
)

// indexed is what they work on; the peers' is serve.indexed.
type indexed struct {
	X, U  ad.Value // [size, size]
	Ids   ad.Value // [size], of 0 … size-1
	All   ad.Value // [size, size], of 0 … size-1
	Far   ad.Value // [size·size], of 0 … size·size-1
	Words ad.Value // [10·size], of 0 … 10·size-1
	Edges ad.Value // [indexEdges], ascending
	Line  ad.Value // [size], ascending
}

func indexedOf[T interface {
	float
	ad.Element
}]() indexed {
	const n = indexSize
	ascending := func(seed, n int) []T {
		s := numbers[T](seed, n, -1, 1)
		slices.Sort(s)
		return s
	}
	return indexed{
		X: ad.From(numbers[T](1, indexAll, -1, 1), n, n), U: ad.From(numbers[T](2, indexAll, -1, 1), n, n),
		Ids: ad.From(labels(3, n, n)), All: ad.From(labels(4, indexAll, n), n, n), Far: ad.From(labels(5, indexAll, indexAll)),
		Words: ad.From(labels(8, 10*n, 10*n)), Edges: ad.From(ascending(6, indexEdges)), Line: ad.From(ascending(7, n)),
	}
}

// indexOp is an operation and its result, or its gradient by X of half the sum of the result's squares.
type indexOp struct {
	name string
	grad bool
	f    func(a indexed) []ad.Value
	want func(a indexed) []float64
}

func indexOps() (ops []indexOp) {
	const n = indexSize
	one := func(name string, f func(a indexed) ad.Value, want func(a indexed) []float64) {
		ops = append(ops, indexOp{name, false, func(a indexed) []ad.Value { return []ad.Value{f(a)} }, want})
	}
	// moved is an operation whose result is elements of X, at tells which, and its gradient.
	moved := func(name string, f func(a indexed) ad.Value, at func(a indexed) []int) {
		one(name, f, func(a indexed) (y []float64) {
			x := a.X.Float64s()
			for _, k := range at(a) {
				y = append(y, x[k])
			}
			return y
		})
		grad := func(a indexed) []ad.Value {
			return []ad.Value{ad.Grad2(func(x ad.Value, a indexed) ad.Value {
				a.X = x
				return f(a).Square().Sum().Scale(0.5)
			})(a.X, a)}
		}
		ops = append(ops, indexOp{name, true, grad, func(a indexed) []float64 {
			x, y := a.X.Float64s(), make([]float64, indexAll)
			for _, k := range at(a) {
				y[k] += x[k]
			}
			return y
		}})
	}
	// each is n·n places by their row and column.
	each := func(ids func(a indexed) ad.Value, place func(i, j int, ids []float64) int) func(a indexed) []int {
		return func(a indexed) (at []int) {
			v := ids(a).Float64s()
			for i := range n {
				for j := range n {
					at = append(at, place(i, j, v))
				}
			}
			return at
		}
	}
	rows, all, far := func(a indexed) ad.Value { return a.Ids }, func(a indexed) ad.Value { return a.All }, func(a indexed) ad.Value { return a.Far }
	inRow := func(i, j int, ids []float64) int { return int(ids[i])*n + j }
	inColumn := func(i, j int, ids []float64) int { return i*n + int(ids[j]) }
	anywhere := func(i, j int, ids []float64) int { return int(ids[i*n+j]) }
	moved("takerows", func(a indexed) ad.Value { return a.X.Take(a.Ids, 0) }, each(rows, inRow))
	moved("takecolumns", func(a indexed) ad.Value { return a.X.Take(a.Ids, 1) }, each(rows, inColumn))
	moved("take", func(a indexed) ad.Value { return a.X.Flatten().Take(a.Far, 0) }, each(far, anywhere))
	moved("takealong", func(a indexed) ad.Value { return a.X.TakeAlong(a.All, 1) },
		each(all, func(i, j int, ids []float64) int { return i*n + int(ids[i*n+j]) }))
	moved("takealongfirst", func(a indexed) ad.Value { return a.X.TakeAlong(a.All, 0) },
		each(all, func(i, j int, ids []float64) int { return int(ids[i*n+j])*n + j }))
	order := func(k int, sign float64) func(a indexed) (at []int) {
		return func(a indexed) (at []int) {
			x := a.X.Float64s()
			for i := range n {
				row := make([]int, n)
				for j := range row {
					row[j] = i*n + j
				}
				slices.SortStableFunc(row, func(p, q int) int {
					switch d := sign * (x[p] - x[q]); {
					case d < 0:
						return -1
					case d > 0:
						return 1
					}
					return 0
				})
				at = append(at, row[:k]...)
			}
			return at
		}
	}
	moved("sort", func(a indexed) ad.Value { return a.X.Sort(1) }, order(n, 1))
	moved("topk", func(a indexed) ad.Value { y, _ := a.X.TopK(10, 1); return y }, order(10, -1))
	// A table of 10,000 rows, of which as many are taken.
	moved("embedding", func(a indexed) ad.Value { return a.X.Reshape(10*n, n/10).Take(a.Words, 0) }, func(a indexed) (at []int) {
		for _, k := range a.Words.Float64s() {
			for j := range n / 10 {
				at = append(at, int(k)*n/10+j)
			}
		}
		return at
	})

	added := func(name string, f func(a indexed) ad.Value, at func(a indexed) []int) {
		one(name, f, func(a indexed) []float64 {
			y, u := a.X.Float64s(), a.U.Float64s()
			for i, k := range at(a) {
				y[k] += u[i]
			}
			return y
		})
	}
	added("scatteraddrows", func(a indexed) ad.Value { return a.X.ScatterAdd(a.Ids, a.U, 0) }, each(rows, inRow))
	added("scatteraddcolumns", func(a indexed) ad.Value { return a.X.ScatterAdd(a.Ids, a.U, 1) }, each(rows, inColumn))
	added("scatteradd", func(a indexed) ad.Value { return a.X.Flatten().ScatterAdd(a.Far, a.U.Flatten(), 0) }, each(far, anywhere))

	counted := func(size int, bin func(a indexed) []int) func(a indexed) []float64 {
		return func(a indexed) []float64 {
			y := make([]float64, size)
			for _, k := range bin(a) {
				if k >= 0 && k < size {
					y[k]++
				}
			}
			return y
		}
	}
	search := func(line func(a indexed) ad.Value) func(a indexed) []int {
		return func(a indexed) (at []int) {
			l := line(a).Float64s()
			for _, x := range a.X.Float64s() {
				k, _ := slices.BinarySearch(l, x)
				at = append(at, k)
			}
			return at
		}
	}
	numbers := func(at func(a indexed) []int) func(a indexed) []float64 {
		return func(a indexed) (y []float64) {
			for _, k := range at(a) {
				y = append(y, float64(k))
			}
			return y
		}
	}
	ids := func(a indexed) (at []int) {
		for _, k := range a.All.Float64s() {
			at = append(at, int(k))
		}
		return at
	}
	one("bincount", func(a indexed) ad.Value { return a.All.Bincount(n) }, counted(n, ids))
	one("searchsorted", func(a indexed) ad.Value { return a.Line.SearchSorted(a.X, false) }, numbers(search(func(a indexed) ad.Value { return a.Line })))
	edges := func(a indexed) ad.Value { return a.Edges }
	one("bucketize", func(a indexed) ad.Value { return a.Edges.SearchSorted(a.X, false) }, numbers(search(edges)))
	one("histogram", func(a indexed) ad.Value { return a.X.Histogram(a.Edges) }, counted(indexEdges-1, func(a indexed) (at []int) {
		e, x := a.Edges.Float64s(), a.X.Float64s()
		for i, k := range search(edges)(a) {
			if k >= len(e)-1 || e[k] != x[i] {
				k--
			}
			at = append(at, k)
		}
		return at
	}))
	ops = append(ops, indexOp{"unique", false, func(a indexed) []ad.Value {
		d := a.All.Convert(a.X.DType()).Unique(n)
		return []ad.Value{d.Values, d.Counts, d.Inverse}
	}, func(a indexed) []float64 {
		var y []float64
		for k := range n {
			y = append(y, float64(k))
		}
		return slices.Concat(y, counted(n, ids)(a), a.All.Float64s())
	}})
	return ops
}

func indexCases() (cs []Case) {
	for _, op := range indexOps() {
		name := op.name
		if op.grad {
			name += "/grad"
		}
		for _, dtype := range []string{"f32", "f64"} {
			data := indexedOf[float32]
			if dtype == "f64" {
				data = indexedOf[float64]
			}
			cs = append(cs, Case{
				Name: "index/" + name + "/" + dtype + "/1000x1000", Dtype: dtype, Peers: []string{"torch", "torch.compile", "jax"},
				Args:  map[string]any{"kind": "index", "op": op.name, "grad": op.grad, "dtype": dtype, "n": indexSize, "edges": indexEdges},
				Units: 1e3 * indexAll, RateUnit: "Melements/s", Tolerance: 1e-4,
				Setup: func(threads int) (*Work, error) { return compiled(op.f, data(), threads) },
				Reference: func() (index []int, value []float64) {
					want := op.want(data())
					for _, i := range some(len(want), 200) {
						index, value = append(index, i), append(value, want[i])
					}
					return index, value
				},
			})
		}
	}
	return cs
}
