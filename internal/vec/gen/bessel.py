"""Pieces and series of bessel.go's and airy.go's functions (needs mpmath; some minutes).

    python3 bessel.py > ../bessel_coef.go && gofmt -w ../bessel_coef.go

Where functions oscillate, pieces are pieces.py's, of width 1, and at zeros around them; where they fall or grow, pieces by the bits of
the argument, without the exponential. A series is the polynomial with the least largest error. Far from 0 functions that oscillate are an
amplitude times the sine of the argument and a phase, both by its inverse.
"""
import sys
from bisect import bisect

from mpmath import mp, mpf

from minimax import alternating, remez
from pieces import buckets, interpolate, rounded, spread

mp.dps = 60

WAVES = 16  # from where on they are an amplitude and a phase
AIRY = 8


def quick(f, ends):
    """f by a polynomial between each two of ends: pieces.py asks it thousands of times."""
    known = {}

    def g(a):
        if not a:
            return f(a)
        i = bisect(ends, a) - 1
        if i not in known:
            lo, hi = mpf(ends[i]), mpf(ends[i + 1])
            known[i] = (lo + hi) / 2, interpolate(f, lo, hi, 40, (lo + hi) / 2)[::-1]
        mid, c = known[i]
        return mp.polyval(c, a - mid)

    return g


def falling(name, say, f, add, lo, hi, n):
    """16 pieces by the first two bits of a + add."""
    spread(name, quick(f, [a - add for a in buckets(lo + add, hi + add, 2)]), 64, 2, add, lo, hi, n, say)


def slices(name, say, f, lo, n, roots=(), origin=False):
    """16 pieces of width 1 from lo on."""
    at = {float(int(mp.floor(r))): rounded(r, 64) for r in (mp.findroot(f, mpf(r)) for r in roots)}
    if origin:
        at[0.0] = mpf(0)
    spread(name, quick(f, range(lo, lo + 17)), 64, 4, 16 - lo, float(lo), lo + 16.0, n, say, at=at)


def series(name, say, f, lo, hi, n, w=lambda z: mpf(1)):
    c, e = remez(f, w, mpf(lo), mpf(hi), range(n))
    print("// %s: error 2^%.1f." % (say, float(mp.log(e, 2))))
    print("var %s = []float64{%s}\n" % (name, ", ".join(repr(float(v)) for v in c)), flush=True)


def wave(name, pair, start, power, shift, say, n=8, argument=lambda x: x):
    """Amplitude and phase, by 1/x², of a pair of functions, amplitude times cosine and sine of x + shift + phase/x, the amplitude over power(x)."""

    def at(z):
        x = 1 / mp.sqrt(z) if z > mpf(10) ** -36 else mpf(10) ** 18
        a = argument(x)
        c, s = pair(a)
        t = mp.atan2(s, c) - x - shift
        return mp.sqrt(c * c + s * s) * power(a), (t - 2 * mp.pi * mp.nint(t / (2 * mp.pi))) * x

    top = 1 / mpf(start) ** 2
    series(name + "Amplitude", say + ", amplitude", lambda z: at(z)[0], 0, top, n)
    series(name + "Phase", say + ", phase", lambda z: at(z)[1], 0, top, n)


log = mp.log
J, Y, I, K = mp.besselj, mp.bessely, mp.besseli, mp.besselk
by = lambda f: lambda u: f(mp.sqrt(u)) if u > mpf(10) ** -24 else f(mpf(10) ** -12)  # an even function by the square


def joint(name, say, f, n, p0, q0):
    """f(u) from 0 to 1 as P(u) - log u·Q(u), P(0) and Q(0) given, with the least largest relative error, by Remez' exchange."""
    m = 2 * (n - 1)
    count = 24 * (m + 1)
    grid = [((1 - mp.cos(mp.pi * (mpf(i) + mpf(1) / 2) / count)) / 2) ** 3 for i in range(count)]
    basis = [[x**k for k in range(1, n)] + [-log(x) * x**k for k in range(1, n)] for x in grid]
    want, weight = [f(x) - p0 + log(x) * q0 for x in grid], [1 / f(x) for x in grid]
    at = [int((i + 0.5) * count / (m + 1)) for i in range(m + 1)]
    for _ in range(12):
        a, b = mp.matrix(m + 1, m + 1), mp.matrix(m + 1, 1)
        for i, j in enumerate(at):
            for k in range(m):
                a[i, k] = basis[j][k]
            a[i, m] = (-1) ** i / weight[j]
            b[i] = want[j]
        s = mp.lu_solve(a, b)
        err = [w * (sum(s[k] * v for k, v in enumerate(row)) - y) for w, row, y in zip(weight, basis, want)]
        peaks = alternating(err, m + 1)
        if len(peaks) < m + 1:
            break
        at = peaks
    p, q = [p0] + [s[k] for k in range(n - 1)], [q0] + [s[n - 1 + k] for k in range(n - 1)]
    print("// %s: error 2^%.1f." % (say, float(mp.log(max(abs(e) for e in err), 2))))
    print("var %s = [2][]float64{{%s}, {%s}}\n" % (name, ", ".join(repr(float(v)) for v in p), ", ".join(repr(float(v)) for v in q)), flush=True)


def bessel(k):
    name = "bessel%s%d"
    slices(name % ("J", k) + "Pieces", "J%d by a + 16." % k, lambda x: J(k, x), 0, 13,
           [(2.4, 5.52, 8.65, 11.79, 14.93), (3.83, 7.02, 10.17, 13.32)][k], origin=True)
    slices(name % ("Y", k) + "Pieces", "Y%d by a + 14." % k, lambda x: Y(k, x), 2, 16,
           [(3.96, 7.09, 10.22, 13.36, 16.5), (2.2, 5.43, 8.6, 11.75, 14.9)][k])
    s = lambda x: 2 / mp.pi * J(k, x) / x**k
    series(name % ("Y", k) + "Log", "2/π·J%d%s by a², a < 2" % (k, "/a" * k), by(s), 0, 4, 10)
    near = [lambda x: Y(0, x) - s(x) * log(x), lambda x: (Y(1, x) + 2 / mp.pi / x) / x - s(x) * log(x)][k]
    series(name % ("Y", k) + "Near", "what that leaves of Y%d" % k, by(near), 0, 4, 10)
    wave(name % ("", k), lambda x: (J(k, x), Y(k, x)), WAVES, mp.sqrt, -mp.pi / 4 - k * mp.pi / 2, "√a·(J%d + iY%d) by 1/a²" % (k, k))


def modified(k):
    name = "besselK%d" % k
    s = lambda x: I(k, x) / x**k
    series(name + "Log", "I%d%s by a², a < 2" % (k, "/a" * k), by(s), 0, 4, 10)
    near = [lambda x: K(0, x) + s(x) * log(x / 2), lambda x: (K(1, x) - 1 / x) / x - s(x) * log(x / 2)][k]
    series(name + "Near", "what that times log a/2 leaves of K%d" % k, by(near), 0, 4, 10)
    f = lambda x: mp.exp(x) * K(k, x)
    falling(name + "Pieces", "exp(a)·K%d from 2 to 32." % k, f, 0, 2.0, 32.0, 14)
    series(name + "Far", "√a·exp(a)·K%d by 1/a" % k, lambda z: f(1 / z) / mp.sqrt(z) if z else mp.sqrt(mp.pi / 2), 0, mpf(1) / 32, 10)


def integrals():
    slices("sinintPieces", "Si by a + 16.", mp.si, 0, 13, origin=True)
    slices("cosintPieces", "Ci by a + 14.", mp.ci, 2, 16, (3.38, 6.43, 9.53, 12.6, 15.7))
    series("cosintNear", "Ci - log by a², a < 2", by(lambda x: mp.ci(x) - log(x)), 0, 4, 10)
    wave("sinint", lambda x: (mp.pi / 2 - mp.si(x), mp.ci(x)), WAVES, lambda x: x, 0, "a·(π/2 - Si + iCi) by 1/a²", 14)
    f = lambda x: mp.exp(x) * mp.e1(x)
    falling("expintPieces", "exp(a)·E₁ by a + 1.", f, 1, 1.0, 31.0, 17)
    series("expintFar", "a·exp(a)·E₁ by 1/a, a > 31", lambda z: f(1 / z) / z if z else mpf(1), 0, mpf(1) / 31, 12)
    series("expintNear", "E₁ + log, a < 1", lambda x: mp.e1(x) + log(x) if x else -mp.euler, 0, 1, 14)
    joint("ellipkJoint", "K by 1-m", lambda u: mp.ellipk(1 - u), 11, log(mpf(4)), mpf(1) / 2)
    joint("ellipeJoint", "(E - 1)/(1-m)", lambda u: (mp.ellipe(1 - u) - 1) / u, 11, log(mpf(2)) - mpf(1) / 4, mpf(1) / 4)


def airy(k):
    name, roots = [("airyAi", (-2.34, -4.09, -5.52, -6.79, -7.94)), ("airyAiPrime", (-1.02, -3.25, -4.82, -6.16, -7.37)),
                   ("airyBi", (-1.17, -3.27, -4.83, -6.17, -7.38)), ("airyBiPrime", (-2.29, -4.07, -5.51, -6.78, -7.94))][k]
    d = k % 2
    f = lambda a: [mp.airyai, mp.airybi][k // 2](a, derivative=d)
    slices(name + "Pieces", "by a + 24, a from -8 to 8.", f, -AIRY, 19, roots)
    x = lambda zeta: (zeta * mpf(3) / 2) ** (mpf(2) / 3)
    grows = -1 if k < 2 else 1
    start = mpf(2) / 3 * mpf(AIRY) ** mpf("1.5")
    # By the exponential's argument, the fourth root of x taken off.
    end = [mpf(1) / 2, -mpf(1) / 2, 1, 1][k] / mp.sqrt(mp.pi)
    g = lambda w: f(x(1 / w)) * mp.exp(-grows / w) * x(1 / w) ** (mpf(1 - 2 * d) / 4) if w else end
    series(name + "Far", "by 1/ζ", g, 0, 1 / start, 11)
    if k < 2:  # Bi and its derivative have the same
        wave(name, lambda a: [(mp.airybi(-a), mp.airyai(-a)), (mp.airybi(-a, derivative=1), mp.airyai(-a, derivative=1))][d], start,
             lambda a: a ** (mpf(1 - 2 * d) / 4), [mp.pi / 4, -mp.pi / 4][d], "Bi + iAi of -a", argument=x)


PARTS = {"bessel0": lambda: bessel(0), "bessel1": lambda: bessel(1), "integrals": integrals, "besselk0": lambda: modified(0), "besselk1": lambda: modified(1)} | {
    "airy%d" % k: lambda k=k: airy(k) for k in range(4)}

if __name__ == "__main__":
    print("// Code generated by gen/bessel.py. DO NOT EDIT.\n\npackage vec\n")
    for name in PARTS:
        if len(sys.argv) < 2 or name in sys.argv[1:]:
            PARTS[name]()
