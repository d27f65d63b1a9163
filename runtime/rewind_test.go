package runtime

import "testing"

// The number of steps made again is the least there is: t·l - C(s+t, s+1) for l steps, s sets of carries and the t
// with C(s+t-1, s) < l ≤ C(s+t, s) (Griewank and Walther).
func TestAheadIsOptimal(t *testing.T) {
	for s := 1; s <= 8; s++ {
		for l := 1; l <= 300; l++ {
			made := 0
			kept := []int{0}
			for left := l; left > 0; left-- {
				for kept[len(kept)-1] > left-1 {
					kept = kept[:len(kept)-1]
				}
				for at := kept[len(kept)-1]; at < left-1; {
					to := left - 1
					if len(kept) < s {
						to = at + ahead(left-at, s+1-len(kept))
					}
					made += to - at
					if at = to; to < left-1 {
						kept = append(kept, to)
					}
				}
			}
			rounds := 0
			for binomial(s+rounds, s) < l {
				rounds++
			}
			if want := rounds*l - binomial(s+rounds, s+1); made != want {
				t.Fatalf("%d steps, %d sets: %d steps made again, not %d", l, s, made, want)
			}
		}
	}
}

func binomial(n, k int) int {
	c := 1
	for i := range k {
		c = c * (n - i) / (i + 1)
	}
	return c
}
