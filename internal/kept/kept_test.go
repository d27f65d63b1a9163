package kept

import (
	"runtime"
	"sync"
	"testing"
)

func TestList(t *testing.T) {
	var l List[int]
	if l.Take() != nil {
		t.Error("something out of nothing")
	}
	for i := range 3 * most {
		l.Put(&i)
	}
	runtime.GC()
	runtime.GC()
	n := 0
	for l.Take() != nil {
		n++
	}
	if n != most+1 {
		t.Errorf("%d kept", n)
	}
}

// Nobody gets what another one has.
func TestListShared(t *testing.T) {
	var l List[int]
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10000 {
				x := l.Take()
				if x == nil {
					x = new(int)
				}
				if *x++; *x != 1 {
					t.Error("two have one value")
				}
				*x--
				l.Put(x)
			}
		})
	}
	wg.Wait()
}
