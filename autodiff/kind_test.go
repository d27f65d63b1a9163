package autodiff

import (
	"testing"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

func TestKindOf(t *testing.T) {
	type what struct {
		t    dtype.Type
		rank int
		dims [3]int
	}
	seen := map[uint64]what{}
	for typ := dtype.Bool; typ < dtype.Count; typ++ {
		for rank := range 4 {
			sizes := []int{0, 1, 2, 64, 1<<19 - 1}
			for i := range sizes {
				for j := range sizes {
					for k := range sizes {
						w := what{typ, rank, [3]int{}}
						copy(w.dims[:], []int{sizes[i], sizes[j], sizes[k]}[:rank])
						word := kindOf(typ, w.dims[:rank])
						if old, ok := seen[word]; word == 0 || ok && old != w {
							t.Fatalf("%v and %v are %#x", w, old, word)
						}
						seen[word] = w
					}
				}
			}
		}
	}
	for _, dims := range [][]int{{1 << 19}, {2, -1}, {1, 1, 1, 1}} {
		if k := kindOf(dtype.F32, dims); k != 0 {
			t.Errorf("%v is %#x", dims, k)
		}
	}
}
