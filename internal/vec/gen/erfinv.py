"""Prints the polynomials of erfinv (needs mpmath): erfinv(x)/x as a function of w = -log(1 - x²) or of √w, through its
values at Chebyshev's points, around the middle of each interval.
"""
from mpmath import mp, mpf

mp.dps = 60


def ratio(w):
    x = mp.sqrt(-mp.expm1(-w))
    return mp.erfinv(x) / x


def fit(f, lo, hi, degree):
    middle, half, n = (lo + hi) / 2, (hi - lo) / 2, degree + 1
    u = [half * mp.cos(mp.pi * (2 * k + 1) / (2 * n)) for k in range(n)]
    c = mp.lu_solve(mp.matrix([[v**j for j in range(n)] for v in u]), mp.matrix([f(middle + v) for v in u]))
    worst = mpf(0)
    for k in range(200):
        v = half * (mpf(2 * k) / 199 - 1)
        worst = max(worst, abs(mp.polyval(list(c)[::-1], v) / f(middle + v) - 1))
    return middle, c, worst


for name, f, lo, hi, degree, digits in [
    ("float32, w", ratio, "1e-30", "5", 9, 12),
    ("float32, √w", lambda s: ratio(s * s), "2.1875", "4.0625", 9, 12),
    ("float64, w", ratio, "1e-30", "6.25", 23, 17),
    ("float64, √w", lambda s: ratio(s * s), "2.5", "4", 19, 17),
    ("float64, √w", lambda s: ratio(s * s), "4", "6.0625", 18, 17),
]:
    middle, c, worst = fit(f, mpf(lo), mpf(hi), degree)
    print(f"// {name} of {lo} … {hi}, around {mp.nstr(middle, 10)}: relative error {mp.nstr(worst, 3)}")
    print(", ".join(mp.nstr(v, digits) for v in c))
