package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/cmplx"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
	"gonum.org/v1/gonum/stat"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// The curve is a damped oscillation, amplitude·exp(-decay·t)·cos(frequency·t + phase) + offset, t from the
// first point on.
const (
	amplitude = iota
	decay
	frequency
	phase
	offset
	parameters
)

var names = [parameters]string{"amplitude", "decay", "frequency", "phase", "offset"}

// curve is the oscillation with parameters p, of shape [5], at all of t.
func curve(p, t ad.Value) ad.Value {
	envelope := p.Index(amplitude).Mul(p.Index(decay).Mul(t).Neg().Exp())
	return envelope.Mul(p.Index(frequency).Mul(t).Add(p.Index(phase)).Cos()).Add(p.Index(offset))
}

// points is what the curve is fitted to.
type points struct{ T, Y ad.Value }

func residuals(p ad.Value, at points) ad.Value { return curve(p, at.T).Sub(at.Y) }

func loss(p ad.Value, at points) ad.Value { return residuals(p, at).Square().Mean() }

// objective serves gonum the loss and its gradient, which come from one run of a program.
type objective struct {
	program *ad.Program2[ad.Value, points, ad.Valued[ad.Value]]
	at      points
	x       []float64 // the parameters of the latest run
	p       ad.Value  // the same memory
	latest  ad.Valued[ad.Value]
	runs    int
	err     error
}

func newObjective(t, y []float64) (*objective, error) {
	vector := ad.F64.Spec(ad.AnyBatch)
	program, err := ad.Compile2(ad.ValueAndGrad2(loss), ad.F64.Spec(parameters), points{vector, vector})
	x := make([]float64, parameters)
	return &objective{program: program, at: points{ad.From(t), ad.From(y)}, x: x, p: ad.From(x)}, err
}

// run allocates nothing from the second time on.
func (o *objective) run(x []float64) {
	if o.runs > 0 && slices.Equal(x, o.x) {
		return
	}
	copy(o.x, x)
	o.runs++
	if err := o.program.RunInto(context.Background(), &o.latest, o.p, o.at); err != nil {
		o.err = err
	}
}

func (o *objective) value(x []float64) float64 {
	o.run(x)
	return o.latest.Value.Item()
}

func (o *objective) gradient(grad, x []float64) {
	o.run(x)
	copy(grad, ad.Data[float64](o.latest.Grad))
}

func (o *objective) status() (optimize.Status, error) {
	if o.err != nil {
		return optimize.Failure, o.err
	}
	return optimize.NotTerminated, nil
}

// fitted is a curve and how well it is known.
type fitted struct {
	p, deviation      [parameters]float64 // of the parameters: standard errors
	residual          float64             // standard deviation
	explained         float64             // part of y's variance
	iterations, calls int
}

// fit finds the parameters with the least squares. Time and values are brought to a range of one and
// variance one for it, so that one step size suits all parameters.
func fit(t, y []float64) (f fitted, err error) {
	if len(t) <= parameters {
		return f, fmt.Errorf("%d points do not determine %d parameters", len(t), parameters)
	}
	start, span := slices.Min(t), slices.Max(t)-slices.Min(t)
	mean, spread := stat.PopMeanStdDev(y, nil)
	if !(span > 0 && spread > 0) || math.IsInf(span+spread, 0) {
		return f, errors.New("the points do not spread along both axes, or are not finite")
	}
	u, v := make([]float64, len(t)), make([]float64, len(y))
	for i := range t {
		u[i], v[i] = (t[i]-start)/span, (y[i]-mean)/spread
	}

	o, err := newObjective(u, v)
	if err != nil {
		return f, err
	}
	problem := optimize.Problem{Func: o.value, Grad: o.gradient, Status: o.status}
	// With gradients below about 1e-8 the loss changes by its rounding only, and line searches fail.
	settings := optimize.Settings{GradientThreshold: 1e-7, MajorIterations: 500}
	best, err := optimize.Minimize(problem, guess(u, v), &settings, &optimize.BFGS{})
	if err != nil {
		return f, err
	}
	if best.Status != optimize.GradientThreshold && best.Status != optimize.FunctionConvergence {
		return f, fmt.Errorf("no minimum found: %v after %d iterations", best.Status, best.MajorIterations)
	}

	// The covariance by Gauss and Newton: (JᵀJ)⁻¹ times the variance of the residuals, J their derivatives.
	freedom := float64(len(t) - parameters)
	variance := best.F * float64(len(t)) / freedom
	j := ad.Jacobian(func(p ad.Value) ad.Value { return residuals(p, o.at) })(ad.From(best.X))
	var normal mat.SymDense
	normal.SymOuterK(1, mat.NewDense(len(t), parameters, ad.Data[float64](j)).T())
	var factor mat.Cholesky
	var inverse mat.SymDense
	if !factor.Factorize(&normal) || factor.InverseTo(&inverse) != nil {
		return f, errors.New("the points do not determine the parameters")
	}

	// One step of theirs, -(JᵀJ)⁻¹ times the gradient of half the sum of squares, goes the rest of the way.
	var step mat.VecDense
	step.MulVec(&inverse, mat.NewVecDense(parameters, best.Gradient))
	step.ScaleVec(float64(len(t))/2, &step)

	unit := [parameters]float64{spread, 1 / span, 1 / span, 1, spread}
	for i := range f.p {
		f.p[i] = (best.X[i] - step.AtVec(i)) * unit[i]
		f.deviation[i] = math.Sqrt(variance*inverse.At(i, i)) * unit[i]
	}
	f.p[phase] = math.Remainder(f.p[phase], 2*math.Pi)
	f.p[offset] += mean
	f.residual = math.Sqrt(variance) * spread
	f.explained = 1 - best.F
	f.iterations, f.calls = best.MajorIterations, o.runs
	return f, nil
}

// guess starts from the frequency with the most power, of some of the points.
func guess(t, y []float64) []float64 {
	p := make([]float64, parameters)
	every := (len(t) + 1999) / 2000
	var most complex128
	for k := 1; k <= min(len(t), 1000); k++ {
		w := math.Pi * float64(k)
		var c complex128
		for i := 0; i < len(t); i += every {
			c += cmplx.Rect(y[i]*math.Exp(-t[i]), -w*t[i])
		}
		if cmplx.Abs(c) > cmplx.Abs(most) {
			most, p[frequency], p[phase] = c, w, cmplx.Phase(c)
		}
	}
	for _, v := range y {
		p[amplitude] = max(p[amplitude], math.Abs(v))
	}
	p[decay] = 1
	return p
}
