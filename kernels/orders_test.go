package kernels

import (
	"math"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// TestOrders holds functions of an order to values that mpmath gives with 40 digits, within their vector programs and beyond.
func TestOrders(t *testing.T) {
	for _, l := range Levels() {
		for _, v := range orders {
			const n = Pad
			var a, x, y [n]float64
			var a32, x32, y32 [n]float32
			for i := range n {
				a[i], x[i] = v.a, v.x
				a32[i], x32[i] = float32(v.a), float32(v.x)
			}
			l.Tile(v.id, dtype.F64)(unsafe.Pointer(&y), unsafe.Pointer(&a), unsafe.Pointer(&x), nil, n)
			l.Tile(v.id, dtype.F32)(unsafe.Pointer(&y32), unsafe.Pointer(&a32), unsafe.Pointer(&x32), nil, n)
			allowed := 6 * 0x1p-52
			if v.id == ops.GammaIncDA {
				allowed = 64 * 0x1p-52
			}
			if v.a > 60 || v.a > 15 && v.id == ops.Polygamma || v.id == ops.BesselK {
				allowed = 1e-12 // computed one by one
			}
			for i := range n {
				if e := math.Abs(y[i]/v.y - 1); math.Abs(v.y) > 0x1p-1000 && !(e <= allowed) {
					t.Errorf("%s: %v(%v, %v) = %v, want %v", l.Name, v.id, v.a, v.x, y[i], v.y)
					break
				}
			}
			if float64(a32[0]) != v.a || float64(x32[0]) != v.x || math.Abs(v.y) < 0x1p-126 {
				continue
			}
			if e := math.Abs(float64(y32[0])/v.y - 1); !(e <= 0x1p-23) && !(math.IsInf(float64(y32[0]), 1) && v.y > math.MaxFloat32) {
				t.Errorf("%s: %v(%v, %v) of float32s = %v, want %v", l.Name, v.id, v.a, v.x, y32[0], v.y)
			}
		}
	}
}

var orders = []struct {
	id   ops.ID
	a, x float64
	y    float64
}{
	{ops.GammaInc, 0.3, 1e-05, 0.0352353606155625769},
	{ops.GammaIncc, 0.3, 1e-05, 0.964764639384437423},
	{ops.GammaInc, 0.5, 0.5, 0.682689492137085897},
	{ops.GammaIncc, 0.5, 0.5, 0.317310507862914103},
	{ops.GammaInc, 1, 1e-300, 1.00000000000000003e-300},
	{ops.GammaIncc, 1, 1e-300, 1.0},
	{ops.GammaInc, 1.5, 2.5, 0.828202855703266865},
	{ops.GammaIncc, 1.5, 2.5, 0.171797144296733135},
	{ops.GammaInc, 3, 0.125, 0.000296477540888020192},
	{ops.GammaIncc, 3, 0.125, 0.99970352245911198},
	{ops.GammaInc, 6.96875, 0.40625, 2.78504141070285059e-7},
	{ops.GammaIncc, 6.96875, 0.40625, 0.99999972149585893},
	{ops.GammaInc, 7, 6.5, 0.47347637748200014},
	{ops.GammaIncc, 7, 6.5, 0.52652362251799986},
	{ops.GammaInc, 7, 300, 1.0},
	{ops.GammaIncc, 7, 300, 5.31856469739069042e-119},
	{ops.GammaInc, 12.5, 13.75, 0.668621968336208208},
	{ops.GammaIncc, 12.5, 13.75, 0.331378031663791792},
	{ops.GammaInc, 30.25, 8, 1.49913022798739069e-9},
	{ops.GammaIncc, 30.25, 8, 0.999999998500869772},
	{ops.GammaInc, 40.625, 42.5625, 0.637356470407391918},
	{ops.GammaIncc, 40.625, 42.5625, 0.362643529592608082},
	{ops.GammaInc, 59.375, 62.96875, 0.691588675788630829},
	{ops.GammaIncc, 59.375, 62.96875, 0.308411324211369171},
	{ops.GammaInc, 59.375, 1, 5.82070417253414392e-82},
	{ops.GammaIncc, 59.375, 1, 1.0},
	{ops.GammaInc, 60, 60.5, 0.542760924391572449},
	{ops.GammaIncc, 60, 60.5, 0.457239075608427551},
	{ops.GammaInc, 60, 99, 0.999990346250018574},
	{ops.GammaIncc, 60, 99, 9.65374998142588055e-6},
	{ops.GammaInc, 0.25, 1.25, 0.952753298856090644},
	{ops.GammaIncc, 0.25, 1.25, 0.0472467011439093561},
	{ops.GammaInc, 2, 699, 1.0},
	{ops.GammaIncc, 2, 699, 1.87609657083702486e-301},
	{ops.GammaIncc, 0.001, 1.25, 0.00014658791527174949},
	{ops.GammaIncc, 1e-09, 0.5, 5.59773595069540638e-10},
	{ops.GammaIncc, 0.0625, 0.25, 0.0653584475527726529},
	{ops.GammaIncc, 0.125, 0.001, 0.552266600283861131},
	{ops.GammaInc, 100, 90, 0.158220989186430168},
	{ops.GammaInc, 1000, 1010, 0.627678944736994728},
	{ops.GammaInc, 100000.0, 100300, 0.828636311251207648},
	{ops.GammaInc, 250, 0.5, 1.03904278737812581e-568},
	{ops.Zeta, 1.0078125, 1, 128.577784242805095},
	{ops.Zeta, 2, 1, 1.64493406684822644},
	{ops.Zeta, 2, 0.25, 17.1973291545071107},
	{ops.Zeta, 3.5, 8, 0.00257999198054796908},
	{ops.Zeta, 20, 100, 5.77981174490948598e-40},
	{ops.Zeta, 60, 25, 1.47040090200296226e-84},
	{ops.Zeta, 60, 0.5, 1.15292150460684698e+18},
	{ops.Zeta, 12.5, 1e-05, 3.1622776601683761e+62},
	{ops.Zeta, 1.5, 1000000.0, 0.002000000500000125},
	{ops.Polygamma, 1, 9.5367431640625e-07, 1099511627777.64493},
	{ops.Polygamma, 1, 0.25, 17.1973291545071107},
	{ops.Polygamma, 1, 0.5, 4.93480220054467931},
	{ops.Polygamma, 1, 1, 1.64493406684822644},
	{ops.Polygamma, 1, 1.75, 0.764101869893828721},
	{ops.Polygamma, 1, 7.9375, 0.134252492647317055},
	{ops.Polygamma, 1, 8, 0.133137014694031425},
	{ops.Polygamma, 1, 33.5, 0.030300712174923453},
	{ops.Polygamma, 1, 1000000.0, 1.00000050000016667e-6},
	{ops.Polygamma, 2, 0.5, -16.82879664423432},
	{ops.Polygamma, 2, 3, -0.154113806319188571},
	{ops.Polygamma, 2, 20, -0.00262812240231465459},
	{ops.Polygamma, 3, 2, 0.493939402266829149},
	{ops.Polygamma, 4, 100, -6.1209999300119967e-8},
	{ops.Polygamma, 15, 0.5, 85699749372666517.3},
	{ops.Polygamma, 16, 2, -159791481.510906632},
	{ops.GammaIncDA, 0.3, 1e-05, -0.399700787009303337},
	{ops.GammaIncDA, 0.5, 0.5, -0.647200352377753877},
	{ops.GammaIncDA, 1.5, 2.5, -0.208822544878678391},
	{ops.GammaIncDA, 3.0, 0.125, -0.000991266639433652406},
	{ops.GammaIncDA, 7.0, 6.5, -0.155376499035732412},
	{ops.GammaIncDA, 12.5, 13.75, -0.102102528260295342},
	{ops.GammaIncDA, 30.25, 8.0, -2.03447908816948233e-9},
	{ops.GammaIncDA, 40.625, 42.5625, -0.0585867605437027357},
	{ops.GammaIncDA, 59.375, 62.96875, -0.0453403735174323504},
	{ops.GammaIncDA, 60.0, 99.0, -5.13700289196288355e-6},
	{ops.GammaIncDA, 0.25, 1.25, -0.230026650978626626},
	{ops.GammaIncDA, 2.0, 30.0, -8.73656634561654951e-12},
	{ops.GammaIncDA, 5.0, 5.75, -0.160605480851745743},
	{ops.GammaIncDA, 0.0625, 1.75, -0.0823324005670043144},
	{ops.GammaIncDA, 100.0, 120.0, -0.0062131859291406567},
	{ops.GammaIncDA, 250.0, 255.5, -0.0235209643691453255},
	{ops.GammaIncDA, 1000.0, 990.0, -0.0120577492852830538},
	{ops.GammaIncDA, 64.0, 200.0, -1.08148894003858044e-29},
	{ops.BesselK, 0, 5e-324, 744.556003437039675},
}

// TestBetaInc holds the incomplete beta function to values of mpmath: to units of the result below the middle, of 1 beyond.
func TestBetaInc(t *testing.T) {
	for _, l := range Levels() {
		for _, v := range []struct{ a, b, x, y float64 }{
			{0.5, 0.5, 0.25, 0.333333333333333333},
			{2, 3, 0.5, 0.6875},
			{1, 1, 0.75, 0.75},
			{5, 0.25, 0.9375, 0.229092586785554886},
			{0.25, 5, 0.0625, 0.770907413214445114},
			{40, 40, 0.5, 0.5},
			{40, 0.0009765625, 0.984375, 0.000424840536764742091},
			{7, 7, 0.4375, 0.322306928736133536},
			{6.9375, 0.3125, 0.96875, 0.34712986205052054},
			{39.5, 12.25, 0.75, 0.390353677053537151},
			{0.0078125, 33, 0.001953125, 0.982596883733906018},
			{1e-10, 3, 0.5, 0.999999999993185282},
			{3, 1e-10, 0.5, 6.814718056674436e-12},
			{20, 20, 0.25, 0.000373642596490351546},
			{20, 20, 0.75, 0.999626357403509648},
			{1.5, 30, 0.125, 0.955562061537279005},
			{30, 1.5, 0.9990234375, 0.996245132361599821},
			{10, 2, 1e-30, 1.10000000000000092e-299},
			{12.5, 13.5, 0.484375, 0.516551527127839004},
			{100, 80, 0.5625, 0.57216263711553049},
			{45, 3, 0.9375, 0.430407215388063021},
			{2, 3, 0, 0}, {2, 3, 1, 1}, {2, 3, -0.5, math.NaN()}, {2, -1, 0.5, math.NaN()}, {0, 1, 0.5, math.NaN()}, {2, 3, math.NaN(), math.NaN()},
		} {
			const n = Pad
			var a, b, x, y [n]float64
			var a32, b32, x32, y32 [n]float32
			for i := range n {
				a[i], b[i], x[i] = v.a, v.b, v.x
				a32[i], b32[i], x32[i] = float32(v.a), float32(v.b), float32(v.x)
			}
			l.Tile(ops.BetaInc, dtype.F64)(unsafe.Pointer(&y), unsafe.Pointer(&a), unsafe.Pointer(&b), unsafe.Pointer(&x), n)
			l.Tile(ops.BetaInc, dtype.F32)(unsafe.Pointer(&y32), unsafe.Pointer(&a32), unsafe.Pointer(&b32), unsafe.Pointer(&x32), n)
			unit := v.y
			if v.x > (v.a+1)/(v.a+v.b+2) {
				unit = 1
			}
			allowed := 10 * 0x1p-53
			if v.a > 40 || min(v.a, v.b) < 0x1p-10 { // computed one by one
				allowed = 500 * 0x1p-53
			}
			if e := math.Abs(y[0] - v.y); !(e <= allowed*unit) && !(y[0] != y[0] && v.y != v.y) {
				t.Errorf("%s: %v(%v, %v, %v) = %v, want %v", l.Name, ops.BetaInc, v.a, v.b, v.x, y[0], v.y)
			}
			exact := float64(a32[0]) == v.a && float64(b32[0]) == v.b && float64(x32[0]) == v.x
			if e := math.Abs(float64(y32[0]) - v.y); exact && v.y > 0x1p-126 && !(e <= 0x1p-23*v.y) {
				t.Errorf("%s: %v(%v, %v, %v) of float32s = %v, want %v", l.Name, ops.BetaInc, v.a, v.b, v.x, y32[0], v.y)
			}
		}
	}
}
