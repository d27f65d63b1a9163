"""Piecewise polynomials for Builder.Table: 16 pieces each.

    python3 pieces.py > ../pieces_coef.go && gofmt -w ../pieces_coef.go     (needs mpmath; some minutes)

A piece is f(a) = c0 + t·(c1 + t·(c2 + …)), t = a - base. base is chosen near the middle such that f(base) and
its slope have next to nothing behind the last bits of c0 and c1 (Gal's accurate tables). The rest is the
polynomial through Chebyshev's points.
"""
import math
import struct
import sys

from mpmath import mp, mpf

mp.dps = 50


def rounded(x, bits):
    with mp.workprec(24 if bits == 32 else 53):
        return +x


def short(x):
    """x in the bits of a float64's high word: where there are no tables of float64s, those of such numbers take half the time."""
    with mp.workprec(21):
        return +x


def interpolate(g, lo, hi, n, at):
    """Coefficients around at of the polynomial of degree n through g at Chebyshev's points."""
    mid, half = (lo + hi) / 2, (hi - lo) / 2
    xs = [mp.cos(mp.pi * (mpf(i) + mpf(1) / 2) / (n + 1)) for i in range(n + 1)]
    ys = [g(mid + half * x) for x in xs]
    cheb = [2 * sum(y * mp.cos(k * mp.pi * (mpf(i) + mpf(1) / 2) / (n + 1)) for i, y in enumerate(ys)) / (n + 1) for k in range(n + 1)]
    cheb[0] /= 2
    # T_k(u), u = (a - mid)/half = t/half + d
    d = (at - mid) / half
    one, u = [mpf(1)], [d, 1 / half]
    mul = lambda p, q: [sum(p[i] * q[k - i] for i in range(len(p)) if 0 <= k - i < len(q)) for k in range(len(p) + len(q) - 1)]
    prev, cur = one, u
    total = [mpf(0)] * (n + 1)
    for k, c in enumerate(cheb):
        t = one if k == 0 else cur
        if k > 1:
            nxt = [2 * v for v in mul(u, cur)]
            for i, v in enumerate(prev):
                nxt[i] -= v
            prev, cur = cur, nxt
            t = cur
        for i, v in enumerate(t):
            total[i] += c * v
    return total


def piece(f, lo, hi, n, bits, base=None, first=None, root=None):
    """base, coefficients and worst relative error of one piece; first: c1's part that is added elsewhere; root: a
    base where f is next to 0."""
    lo, hi = mpf(lo), mpf(hi)
    if root is not None:
        base, v = mpf(root), f(mpf(root))
        g = lambda a: (f(a) - v) / (a - base) if abs(a - base) > mpf("1e-20") else mp.diff(f, base)
        c = [base, rounded(v, bits)] + [rounded(x, bits) for x in interpolate(g, lo, hi, n - 1, base)]
        return c, max(abs((c[1] + (a - base) * mp.polyval(c[:1:-1], a - base)) / f(a) - 1) for a in (lo + (hi - lo) * (mpf(i) + mpf("0.37")) / 41 for i in range(41)))
    if base is None:
        best = None
        slack = mpf(2) ** (-31 if bits == 32 else -61)
        for k in range(1, 6000):
            b = rounded((lo + hi) / 2 + (hi - lo) * (mpf(k) * mpf("0.6180339887") % 1 - mpf("0.5")) / 16, bits)
            v = f(b)
            c = rounded(v, bits)
            e = abs(v - c) / abs(v)
            if best and e > best[0] and e > slack:
                continue
            d = mp.diff(f, b)
            r = rounded(d, bits)
            e = max(e, abs((d - r) * (hi - lo) / 2 / v))
            if best is None or e < best[0]:
                best = e, b, c, r
            if best[0] < slack:
                break
        _, base, c0, c1 = best
        v, d = f(base), mp.diff(f, base)
        g = lambda a: (f(a) - v - d * (a - base)) / (a - base) ** 2 if abs(a - base) > mpf("1e-12") else mp.diff(f, base, 2) / 2
    else:
        base, c0 = mpf(base), f(mpf(base))
        g = lambda a: f(a) / a - (first or 0) if a > mpf("1e-25") else mp.diff(f, 0) - (first or 0)
    if first is None:
        c = [c1] + [rounded(x, bits) for x in interpolate(g, lo, hi, n - 2, base)]
    else:
        c = [rounded(x, bits) for x in interpolate(g, lo, hi, n - 1, base)]
    worst = mpf(0)
    for i in range(41):
        a = lo + (hi - lo) * (mpf(i) + mpf("0.37")) / 41
        t = a - base
        y = c0 + t * (mp.polyval(c[::-1], t) + (first or 0))
        worst = max(worst, abs(y / f(a) - 1))
    return [base, c0] + c, worst


def show(x, bits):
    return repr(float(x)) if bits == 64 else repr(float(x))


def table(name, bits, pieces, say):
    """pieces: 16 of coefficient lists, by index."""
    worst = max(w for _, w in pieces)
    rows = len(pieces[0][0])
    print("// %s Error 2^%.1f." % (say, float(mp.log(worst, 2))))
    print("var %s = pieces{" % name)
    for k in range(rows):
        print("\t{%s}," % ", ".join(show(p[k], bits) for p, _ in pieces))
    print("}\n", flush=True)


def index(x, bits, m):
    """The last four bits of x's representation above all but m bits of its fraction."""
    if bits == 32:
        return (struct.unpack("<I", struct.pack("<f", x))[0] >> (23 - m)) & 15
    return (struct.unpack("<Q", struct.pack("<d", x))[0] >> (52 - m)) & 15


def buckets(lo, hi, m):
    """The lower ends of the buckets that cover [lo, hi), m bits of fraction each."""
    out = []
    x = lo
    while x < hi:
        out.append(x)
        e = 2.0 ** math.floor(math.log2(x))
        x += e / 2**m
    return out + [x]


def spread(name, f, bits, m, add, lo, hi, n, say, zero=None, at={}):
    """A table by the bits of a + add. zero: (end + add, c1's part) of a piece from 0 on with base 0; at: bases, at zeros of f."""
    ends = buckets(lo + add, hi + add, m)
    got = [None] * 16
    for a, b in zip(ends, ends[1:]):
        i = index(a, bits, m)
        assert got[i] is None, (name, a)
        got[i] = piece(f, mpf(a) - add, mpf(b) - add, n, bits, root=at.get(a - add))
    if zero:
        end, first = zero
        i = index(end * (1 - 2.0**-20), bits, m)
        assert got[i] is None, (name, "zero")
        got[i] = piece(f, 0, end - add, n, bits, base=0, first=first)
    some = next(g for g in got if g)
    table(name, bits, [g or ([mpf(0)] * len(some[0]), mpf(0)) for g in got], say)


def erfcx(a):
    if a < 30:
        return mp.exp(a * a) * mp.erfc(a)
    return (1 - 1 / (2 * a**2) + 3 / (4 * a**4) - 15 / (8 * a**6) + 105 / (16 * a**8) - 945 / (32 * a**10) + 10395 / (64 * a**12)) / (a * mp.sqrt(mp.pi))


tail = lambda a: erfcx(a / mp.sqrt(2)) / 2

psi0 = rounded(mp.findroot(mp.digamma, mpf("1.4616")), 64)
TABLES = {
    "erf64Pieces": lambda s: spread("erf64Pieces", mp.erf, 64, 2, 0, 0.5, 6.0, 14, s, zero=(0.5, 1)),
    "erfcx64Pieces": lambda s: spread("erfcx64Pieces", erfcx, 64, 2, 2, 0.0, 30.0, 15, s),
    "tail64Pieces": lambda s: spread("tail64Pieces", tail, 64, 2, 3, 0.0, 45.0, 15, s),
    "tanh64Pieces": lambda s: spread("tanh64Pieces", mp.tanh, 64, 2, 1.5, 0.25, 20.5, 15, s, zero=(1.75, 1)),
    "lgamma64Pieces": lambda s: spread("lgamma64Pieces", mp.loggamma, 64, 2, 0, 0.5, 8.0, 15, s, at={0.875: 1, 1.0: 1, 1.75: 2, 2.0: 2}),
    "digamma64Pieces": lambda s: spread("digamma64Pieces", mp.digamma, 64, 2, 0, 0.5, 8.0, 15, s, at={1.25: psi0, 1.5: psi0}),
    "trigamma64Pieces": lambda s: spread("trigamma64Pieces", lambda x: mp.zeta(2, x), 64, 2, 0, 0.5, 8.0, 15, s),
    "erfcx32Pieces": lambda s: spread("erfcx32Pieces", erfcx, 32, 2, 1, 0.0, 11.0, 7, s),
    "tail32Pieces": lambda s: spread("tail32Pieces", tail, 32, 2, 1, 0.0, 15.0, 6, s),
    "tanh32Pieces": lambda s: spread("tanh32Pieces", mp.tanh, 32, 2, 1, 0.25, 10.0, 7, s, zero=(1.25, 1)),
}
SAY = {
    "erf64Pieces": "erf by a; below 0.5, a is added.",
    "erfcx64Pieces": "exp(a²)·erfc(a) by a + 2.", "erfcx32Pieces": "exp(a²)·erfc(a) by a + 1.",
    "tail64Pieces": "exp(a²/2)·Φ(-a) by a + 3.", "tail32Pieces": "exp(a²/2)·Φ(-a) by a + 1.",
    "tanh64Pieces": "tanh by a + 1.5; below 0.25, a is added.",
    "lgamma64Pieces": "log Γ from 0.5 to 8.", "digamma64Pieces": "Its derivative.", "trigamma64Pieces": "The second one.",
    "tanh32Pieces": "tanh by a + 1; below 0.25, a is added.",
}

if __name__ == "__main__":
    print("// Code generated by gen/pieces.py. DO NOT EDIT.\n\npackage vec\n")
    for name in TABLES:
        if len(sys.argv) < 2 or name in sys.argv[1:]:
            TABLES[name](SAY[name])
