package limits

import "testing"

func TestRatesArePositive(t *testing.T) {
	for name, rate := range map[string]float64{
		"FMA": FMA(1), "Copy": Copy(1, 1<<14), "Copy tiny": Copy(2, 1), "Read": Read(2, 1<<15),
	} {
		if !(rate > 0) {
			t.Errorf("%s: %v", name, rate)
		}
		t.Logf("%s: %.1f per ns", name, rate)
	}
}
