"""Prints the coefficients of explog.go. Needs mpmath.

Each table is the polynomial P of the given degree that minimizes the largest |w(x)·(P(x) - g(x))| on an
interval, by Remez's exchange; its coefficients are then rounded to the type they are for.
"""
import sys

from mpmath import mp, mpf, lu_solve, matrix, exp, expm1, log, sinh, cosh, sqrt, cos, pi

mp.dps = 45


def remez(g, w, lo, hi, degree, shift):
    """One run of the exchange, from Chebyshev's extrema shifted a little off 0, where w vanishes."""
    n = degree + 2
    x = [(lo + hi) / 2 + (hi - lo) / 2 * cos(pi * (n - 1 - i + shift * (0 < i < n - 1)) / (n - 1)) for i in range(n)]
    grid = [lo + (hi - lo) * (mpf(i) + mpf("0.37")) / 1501 for i in range(1501)] + [lo, hi]
    grid.sort()
    gv, wv = [g(t) for t in grid], [w(t) for t in grid]
    best = None, mpf(1)
    for _ in range(10):
        a, b = matrix(n, n), matrix(n, 1)
        for i, t in enumerate(x):
            for k in range(degree + 1):
                a[i, k] = w(t) * t**k
            a[i, n - 1] = (-1) ** i
            b[i] = w(t) * g(t)
        try:
            s = lu_solve(a, b)
        except ZeroDivisionError:
            break
        c = [s[k] for k in range(degree + 1)]
        err = [v * (mp.polyval(c[::-1], t) - y) for t, y, v in zip(grid, gv, wv)]
        worst = max(abs(e) for e in err)
        if worst < best[1]:
            best = c, worst
        runs = []  # the extremum of each run of one sign
        for i, e in enumerate(err):
            if runs and (err[runs[-1]] > 0) == (e > 0):
                if abs(e) > abs(err[runs[-1]]):
                    runs[-1] = i
            else:
                runs.append(i)
        while len(runs) > n:
            runs.pop(0 if abs(err[runs[0]]) < abs(err[runs[-1]]) else -1)
        if len(runs) < n or worst < abs(s[n - 1]) * mpf("1.001"):
            break
        x = [grid[i] for i in runs]
    return best


def rounded(x, bits):
    with mp.workprec(24 if bits == 32 else 53):
        return +x


def table(name, g, w, lo, hi, degrees):
    """Coefficients are rounded one after the other, the first ones first, and the rest fitted anew."""
    lo, hi = mpf(lo), mpf(hi)
    for bits, degree in degrees:
        done = []
        rest = lambda x: (g(x) - mp.polyval(done[::-1], x)) / x ** len(done) if x else mpf(0)
        weight = lambda x: w(x) * abs(x) ** len(done)
        for first in range(4 if bits == 64 else degree + 1):
            c, _ = min((remez(rest if done else g, weight, lo, hi, degree - first, mpf(k) / 10) for k in (-3, -1, 1, 3)), key=lambda r: r[1])
            if first == degree:
                done += [rounded(x, bits) for x in c]
            else:
                done.append(rounded(c[0], bits))
        if bits == 64:
            done += [rounded(x, bits) for x in c[1:]]
        at = [lo + (hi - lo) * (i + mpf("0.3")) / 3000 for i in range(3000)]
        e = max(abs(w(x) * (mp.polyval(done[::-1], x) - g(x))) for x in at)
        print(f"{name} f{bits}: error 2^{float(mp.log(e, 2)):.1f}")
        print("\t" + ", ".join(mp.nstr(x, 10 if bits == 32 else 18) for x in done), flush=True)


half = log(2) / 2 * mpf("1.001")
tables = {
    # e^r = 1 + r + r²·P(r), relative to e^r
    "exp": lambda: table("exp", lambda r: (exp(r) - 1 - r) / r**2, lambda r: r**2 / exp(r), -half, half, [(32, 4), (64, 9)]),
    # e^r - 1 = r + r²·P(r), relative to e^r - 1
    "expm1": lambda: table("expm1", lambda r: (expm1(r) - r) / r**2, lambda r: abs(r**2 / expm1(r)), -half, half, [(32, 5), (64, 10)]),
    # 2^r = 1 + r·P(r), relative to 2^r
    "exp2": lambda: table("exp2", lambda r: (mpf(2) ** r - 1) / r, lambda r: abs(r) / mpf(2)**r, "-0.5005", "0.5005", [(32, 5), (64, 11)]),
    # cosh r = 1 + z·P(z) and sinh r = r + r·z·P(z), z = r²
    "cosh": lambda: table("cosh", lambda z: (cosh(sqrt(z)) - 1) / z if z else mpf(1) / 2, lambda z: z, 0, half**2, [(32, 2), (64, 4)]),
    "sinh": lambda: table("sinh", lambda z: (sinh(sqrt(z)) / sqrt(z) - 1) / z if z else mpf(1) / 6, lambda z: z, 0, half**2, [(32, 2), (64, 4)]),
}
for name in sys.argv[1:] or tables:
    tables[name]()
