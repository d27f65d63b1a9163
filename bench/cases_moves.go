package main

import (
	"fmt"
	"slices"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// Elements of matrices that go elsewhere, and what comes back to them from cotangents of the results.
const moveRows, moveCols = 1000, 1000

// move is a function of two matrices.
type move struct {
	name    string
	grad    bool // its gradient is a case, too: by x, or by both
	both    bool
	f       func(x, y ad.Value) []ad.Value
	results [][]int             // their shapes
	from    func(i int) (k int) // element i of the results is number k of x and then y, or, below 0, of neither
}

func moves() []move {
	const r, c, n = moveRows, moveCols, moveRows * moveCols
	one := func(f func(x ad.Value) ad.Value) func(x, y ad.Value) []ad.Value {
		return func(x, _ ad.Value) []ad.Value { return []ad.Value{f(x)} }
	}
	two := func(f func(x, y ad.Value) ad.Value) func(x, y ad.Value) []ad.Value {
		return func(x, y ad.Value) []ad.Value { return []ad.Value{f(x, y)} }
	}
	shape := func(dims ...int) [][]int { return [][]int{dims} }
	steps := func(down, right int) move {
		return move{fmt.Sprintf("slice%dx%d", down, right), true, false,
			one(func(x ad.Value) ad.Value { return x.Slice(ad.Range{Step: down}, ad.Range{Step: right}) }),
			shape(ceil(r, down), ceil(c, right)), func(i int) int {
				wide := ceil(c, right)
				return i/wide*down*c + i%wide*right
			}}
	}
	turned := func(dims []int, perm ...int) move {
		name, to := "transpose", make([]int, len(perm))
		for i, a := range perm {
			name += fmt.Sprint(a)
			to[i] = dims[a]
		}
		for i, d := range dims {
			name += fmt.Sprint([]string{"/", "x"}[min(i, 1)], d)
		}
		return move{name, false, false, one(func(x ad.Value) ad.Value { return x.Reshape(dims...).Transpose(perm...) }), [][]int{to}, func(i int) (k int) {
			at := make([]int, len(dims))
			for j, a := range slices.Backward(perm) {
				at[a], i = i%to[j], i/to[j]
			}
			for a, d := range dims {
				k = k*d + at[a]
			}
			return k
		}}
	}
	// columns joins columns of x: number j is its column of(j).
	columns := func(name string, wide int, f func(x ad.Value) []ad.Value, of func(j int) int) move {
		return move{name, true, false, one(func(x ad.Value) ad.Value { return ad.Concat(1, f(x)...) }), shape(r, wide),
			func(i int) int { return i/wide*c + of(i%wide) }}
	}
	reverse := func(name string, from func(i int) int, axes ...int) move {
		return move{name, false, false, one(func(x ad.Value) ad.Value { return x.Reverse(axes...) }), shape(r, c), from}
	}
	return []move{
		steps(1, 2), steps(2, 1), steps(2, 2), steps(1, 3), steps(1, 4),
		{"stack", true, true, two(func(x, y ad.Value) ad.Value { return ad.Stack(2, x, y) }), shape(r, c, 2), func(i int) int { return i%2*n + i/2 }},
		{"stack3", true, false, one(func(x ad.Value) ad.Value {
			return ad.Stack(2, x.Narrow(0, 0, r/4), x.Narrow(0, r/4, r/4), x.Narrow(0, r/2, r/4))
		}),
			shape(r/4, c, 3), func(i int) int { return i%3*n/4 + i/3 }},
		{"stack4", true, false, one(func(x ad.Value) ad.Value { return ad.Stack(2, x.Split(0, 4)...) }), shape(r/4, c, 4), func(i int) int { return i%4*n/4 + i/4 }},
		{"concat", true, true, two(func(x, y ad.Value) ad.Value { return ad.Concat(1, x, y) }), shape(r, 2*c),
			func(i int) int { return i%(2*c)/c*n + i/(2*c)*c + i%c }},
		{"split", true, false, func(x, _ ad.Value) []ad.Value { return x.Split(1, 4) }, [][]int{{r, c / 4}, {r, c / 4}, {r, c / 4}, {r, c / 4}},
			func(i int) int { return i%(n/4)/(c/4)*c + i/(n/4)*(c/4) + i%(c/4) }},
		reverse("reverse0", func(i int) int { return (r-1-i/c)*c + i%c }, 0),
		reverse("reverse1", func(i int) int { return i/c*c + c - 1 - i%c }, 1),
		reverse("reverse01", func(i int) int { return n - 1 - i }, 0, 1),
		columns("roll", c, func(x ad.Value) []ad.Value { return []ad.Value{x.Narrow(1, c-3, 3), x.Narrow(1, 0, c-3)} },
			func(j int) int { return (j + c - 3) % c }),
		{"pad", true, false, one(func(x ad.Value) ad.Value { return x.Pad([]int{1, 1}, []int{1, 1}, 0) }), shape(r+2, c+2), func(i int) int {
			row, col := i/(c+2)-1, i%(c+2)-1
			if row < 0 || row >= r || col < 0 || col >= c {
				return -1
			}
			return row*c + col
		}},
		columns("reflect", c+4, func(x ad.Value) []ad.Value {
			return []ad.Value{x.Narrow(1, 1, 2).Reverse(1), x, x.Narrow(1, c-3, 2).Reverse(1)}
		}, func(j int) int { return c - 1 - abs(c-1-abs(j-2)) }),
		columns("edge", c+4, func(x ad.Value) []ad.Value {
			return []ad.Value{x.Narrow(1, 0, 1).BroadcastTo(r, 2), x, x.Narrow(1, c-1, 1).BroadcastTo(r, 2)}
		}, func(j int) int { return min(max(0, j-2), c-1) }),
		{"tile", true, false, one(func(x ad.Value) ad.Value { return x.Reshape(1, r, 1, c).BroadcastTo(2, r, 2, c).Reshape(2*r, 2*c) }), shape(2*r, 2*c),
			func(i int) int { return i/(2*c)%r*c + i%c }},
		{"repeat", true, false, one(func(x ad.Value) ad.Value { return x.Reshape(r, c, 1).BroadcastTo(r, c, 2).Reshape(r, 2*c) }), shape(r, 2*c),
			func(i int) int { return i / 2 }},
		turned([]int{r, c}, 1, 0),
		turned([]int{10, 100, 1000}, 0, 2, 1), turned([]int{10, 100, 1000}, 1, 0, 2), turned([]int{10, 100, 1000}, 2, 1, 0),
		turned([]int{10, 100, 10, 100}, 0, 2, 1, 3), turned([]int{10, 100, 10, 100}, 3, 1, 0, 2), turned([]int{10, 100, 10, 100}, 1, 3, 0, 2),
		turned([]int{10, 100, 10, 100}, 3, 2, 1, 0), turned([]int{100, 1000, 10}, 0, 2, 1), turned([]int{1000, 500, 2}, 2, 1, 0),
		{"diagonal", true, false, one(ad.Value.Diagonal), shape(r), func(i int) int { return i * (c + 1) }},
		{"diagonals", true, false, one(func(x ad.Value) ad.Value { return x.Reshape(100, 100, 100).Diagonal() }), shape(100, 100),
			func(i int) int { return i/100*10000 + i%100*101 }},
		{"mask", true, false, two(func(x, y ad.Value) ad.Value { return ad.Where(y.Gt(ad.Const(1)), x, ad.Const(0)) }), shape(r, c), func(i int) int {
			if 4*number(2, i)-1 > 1 {
				return i
			}
			return -1
		}},
		{"where", true, true, two(func(x, y ad.Value) ad.Value { return ad.Where(x.Gt(y), x, y) }), shape(r, c), func(i int) int {
			if number(1, i) > number(2, i) {
				return i
			}
			return n + i
		}},
	}
}

func moveCases() (cs []Case) {
	for _, m := range moves() {
		cs = append(cs, moveCase[float32](m, "f32", false), moveCase[float64](m, "f64", false))
		if m.grad {
			cs = append(cs, moveCase[float32](m, "f32", true), moveCase[float64](m, "f64", true))
		}
	}
	return cs
}

func moveCase[T float](m move, dtype string, grad bool) Case {
	const n = moveRows * moveCols
	type in struct {
		X, Y ad.Value
		C    []ad.Value
	}
	name, count := "move/"+m.name, 0
	for _, dims := range m.results {
		count += size(dims)
	}
	if grad {
		name += "/grad"
	}
	data := func() (a in) {
		a.X, a.Y = ad.From(numbers[T](1, n, -1, 3), moveRows, moveCols), ad.From(numbers[T](2, n, -1, 3), moveRows, moveCols)
		if !grad {
			return a
		}
		c := numbers[T](3, count, -1, 3)
		for _, dims := range m.results {
			a.C = append(a.C, ad.From(c[:size(dims)], dims...))
			c = c[size(dims):]
		}
		return a
	}
	f := func(a in) []ad.Value { return m.f(a.X, a.Y) }
	if grad {
		f = func(a in) []ad.Value {
			if m.both {
				g := ad.VJP(func(x [2]ad.Value) []ad.Value { return m.f(x[0], x[1]) })([2]ad.Value{a.X, a.Y}, a.C).Grad
				return g[:]
			}
			return []ad.Value{ad.VJP(func(x ad.Value) []ad.Value { return m.f(x, a.Y) })(a.X, a.C).Grad}
		}
	}
	return Case{Name: name + "/" + dtype, Dtype: dtype, Peers: []string{"torch", "torch.compile", "jax"},
		Args:  map[string]any{"kind": "move", "op": m.name, "dtype": dtype, "rows": moveRows, "cols": moveCols, "grad": grad, "both": m.both, "results": m.results},
		Units: 1e3 * float64(count), RateUnit: "Melements/s", Tolerance: 1e-6,
		Setup: func(threads int) (*Work, error) { return compiled(f, data(), threads) },
		Reference: func() (index []int, value []float64) {
			x, y := numbers[float64](1, n, -1, 3), numbers[float64](2, n, -1, 3)
			all := append(x, y...)
			if !grad {
				for _, i := range some(count, 1009) {
					v := 0.0
					if k := m.from(i); k >= 0 {
						v = all[k]
					}
					index, value = append(index, i), append(value, v)
				}
				return index, value
			}
			clear(all)
			for i, v := range numbers[float64](3, count, -1, 3) {
				if k := m.from(i); k >= 0 {
					all[k] += v
				}
			}
			if !m.both {
				all = all[:n]
			}
			for _, i := range some(len(all), 1009) {
				index, value = append(index, i), append(value, all[i])
			}
			return index, value
		}}
}

func size(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

func ceil(n, d int) int { return (n + d - 1) / d }

func abs(n int) int { return max(n, -n) }
