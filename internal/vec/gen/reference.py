"""Exact results for the tests of the float64 functions (needs mpmath).

    python3 reference.py N FILE [FUNCTION...]

writes, for every function, its name in 16 bytes and N points as float64s (x, y, hi, lo): y is 0 where there
is one argument, hi + lo the result.
"""
import random
import struct
import sys
from mpmath import mp, mpf

mp.prec = 1400
pi = mp.pi
erfc = lambda x: mp.erfc(x)
normal = lambda x: mp.erfc(-x / mp.sqrt(2)) / 2
U, G = random.uniform, random.gauss


def spread(lo, hi):  # log-uniform magnitude, both signs
    return random.choice((-1, 1)) * 2.0 ** U(lo, hi)


def around(r, lo, hi):  # near a multiple of π/2
    k = random.randint(1, int(2 ** U(0, r)))
    return float(k * pi / 2) if random.random() < 0.5 else spread(lo, hi)


def inverse(x):  # of erf, by Newton's method from what 60 digits give
    with mp.workdps(60):
        y = mp.erfinv(x)
    with mp.workdps(400):
        for _ in range(4):
            y -= (mp.erf(y) - x) * mp.exp(y * y) * mp.sqrt(pi) / 2
    return y


mix = lambda f, lo, hi: (lambda: f() if random.random() < 0.6 else spread(lo, hi))
positive = lambda top, lo, hi: (lambda: U(0, top) if random.random() < 0.6 else 2.0 ** U(lo, hi))


def raised(x):  # what scales Airy's functions
    return mp.exp(mpf(2) / 3 * max(x, 0) ** mpf("1.5"))


def parameter():  # at most 1, near it, and far below
    r = random.random()
    return U(-2, 1) if r < 0.5 else 1 - 2.0 ** U(-53, 0) if r < 0.75 else -(2.0 ** U(-60, 1000))


FUNCS = [
    ("erf", mp.erf, mix(lambda: U(-6, 6), -60, 3)),
    ("erfc", erfc, mix(lambda: U(-6, 27.3), -60, 4.7)),
    ("gelu", lambda x: x * normal(x), mix(lambda: U(-38.5, 9), -60, 5)),
    ("gelutanh", lambda x: x / (1 + mp.exp(-2 * mp.sqrt(2 / pi) * (x + mpf("0.044715") * x**3))), mix(lambda: U(-21, 9), -60, 4)),
    ("sin", mp.sin, mix(lambda: around(21, -30, 1023), -30, 22)),
    ("cos", mp.cos, mix(lambda: around(21, -30, 1023), -30, 22)),
    ("tan", mp.tan, mix(lambda: around(21, -30, 1023), -30, 22)),
    ("asin", mp.asin, mix(lambda: U(-1, 1), -60, 0)),
    ("acos", mp.acos, mix(lambda: U(-1, 1), -60, 0)),
    ("atan", mp.atan, mix(lambda: U(-4, 4), -60, 60)),
    ("atan2", lambda x, y: mp.atan2(x, y), mix(lambda: G(0, 1), -1074, 1023), mix(lambda: G(0, 1), -1074, 1023)),
    ("hypot", lambda x, y: mp.sqrt(x * x + y * y), mix(lambda: G(0, 1), -1074, 1022), mix(lambda: G(0, 1), -1074, 1022)),
    ("cbrt", lambda x: mp.sign(x) * mp.cbrt(abs(x)), mix(lambda: U(-8, 8), -1074, 1023)),
    ("lgamma", lambda x: mp.loggamma(x), lambda: abs(spread(-1000, 990)) if random.random() < 0.3 else U(0, 40) if random.random() < 0.7 else random.choice((1, 2)) + spread(-40, -2)),
    ("digamma", mp.digamma, lambda: abs(spread(-1000, 1000)) if random.random() < 0.3 else U(0, 40)),
    ("erfinv", inverse, mix(lambda: U(-1, 1) if random.random() < 0.5 else random.choice((-1, 1)) * (1 - 2.0 ** U(-53, -2)), -1074, -1)),
    ("erfcx", lambda x: mp.exp(x * x) * erfc(x), mix(lambda: U(-26, 35), -60, 4.5)),
    ("dawson", lambda x: mp.sqrt(pi) / 2 * mp.exp(-x * x) * mp.erfi(x), mix(lambda: U(-35, 35), -60, 4.5)),
    ("erfi", mp.erfi, mix(lambda: U(-26, 26), -60, 4.5)),
    ("besseli0", lambda x: mp.besseli(0, x), mix(lambda: U(-40, 40), -60, 9.4)),
    ("besseli1", lambda x: mp.besseli(1, x), mix(lambda: U(-40, 40), -60, 9.4)),
    ("besselj0", lambda x: mp.besselj(0, x), mix(lambda: U(-60, 60), -60, 20)),
    ("besselj1", lambda x: mp.besselj(1, x), mix(lambda: U(-60, 60), -60, 20)),
    ("bessely0", lambda x: mp.bessely(0, x), positive(60, -1000, 20)),
    ("bessely1", lambda x: mp.bessely(1, x), positive(60, -1000, 20)),
    ("sinint", mp.si, mix(lambda: U(-60, 60), -60, 20)),
    ("cosint", mp.ci, positive(60, -1000, 20)),
    ("expint", mp.e1, positive(60, -1000, 9.4)),
    ("ellipk", mp.ellipk, parameter),
    ("ellipe", mp.ellipe, parameter),
    ("besselk0", lambda x: mp.besselk(0, x), positive(60, -1000, 9.4)),
    ("besselk1", lambda x: mp.besselk(1, x), positive(60, -1000, 9.4)),
    ("besseli0x", lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), mix(lambda: U(-40, 40), -60, 12)),
    ("besseli1x", lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), mix(lambda: U(-40, 40), -60, 12)),
    ("besselk0x", lambda x: mp.besselk(0, x) * mp.exp(x), positive(60, -1000, 9.4)),
    ("besselk1x", lambda x: mp.besselk(1, x) * mp.exp(x), positive(60, -1000, 9.4)),
    ("airyai", mp.airyai, mix(lambda: U(-30, 30), -60, 6.5)),
    ("airyaiprime", lambda x: mp.airyai(x, derivative=1), mix(lambda: U(-30, 30), -60, 6.5)),
    ("airybi", mp.airybi, mix(lambda: U(-30, 30), -60, 6.5)),
    ("airybiprime", lambda x: mp.airybi(x, derivative=1), mix(lambda: U(-30, 30), -60, 6.5)),
    ("airyaix", lambda x: mp.airyai(x) * raised(x), positive(30, -60, 6.5)),
    ("airyaiprimex", lambda x: mp.airyai(x, derivative=1) * raised(x), positive(30, -60, 6.5)),
    ("airybix", lambda x: mp.airybi(x) / raised(x), mix(lambda: U(-30, 30), -60, 6.5)),
    ("airybiprimex", lambda x: mp.airybi(x, derivative=1) / raised(x), mix(lambda: U(-30, 30), -60, 6.5)),
    ("trigamma", lambda x: mp.zeta(2, x), positive(40, -500, 900)),
    ("polygamma", lambda n, x: mp.polygamma(int(n), x), lambda: random.randint(1, 15), positive(40, -40, 30)),
]

if __name__ == "__main__":
    random.seed(1)
    n = int(sys.argv[1])
    only = sys.argv[3:]
    with open(sys.argv[2], "wb") as out:
        for name, f, *draw in FUNCS:
            if only and name not in only:
                continue
            out.write(struct.pack("16s", name.encode()))
            for _ in range(n):
                x = [d() for d in draw]
                y = f(*map(mpf, x))
                hi = float(y)
                out.write(struct.pack("<dddd", x[0], x[-1] if len(x) > 1 else 0, hi, float(y - mpf(hi))))
