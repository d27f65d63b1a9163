"""What minimax.py fits: name, function, weight of the error, interval, powers."""
from mpmath import mp, mpf

FITS = {}


def put(name, f, w, lo, hi, n):
    FITS[name] = (f, w, lo, hi, range(n))


def root(f, at0):  # f(√z), at0 near 0, where f cancels
    return lambda z: f(mp.sqrt(z)) if z > mpf("1e-18") else at0


sinc = root(lambda r: (mp.sin(r) / r - 1) / r**2, -mpf(1) / 6)
cosc = root(lambda r: (mp.cos(r) - 1 + r**2 / 2) / r**4 if r > 1e-4 else mpf(1) / 24 - r**2 / 720, mpf(1) / 24)
tanc = root(lambda r: (mp.tan(r) / r - 1) / r**2, mpf(1) / 3)
atanc = root(lambda r: (mp.atan(r) / r - 1) / r**2, -mpf(1) / 3)
asinc = root(lambda r: (mp.asin(r) / r - 1) / r**2, mpf(1) / 6)
erfz = root(lambda r: mp.erf(r) / r - 1, 2 / mp.sqrt(mp.pi) - 1)


def expc(r):
    return (mp.expm1(r) - r) / r**2 if abs(r) > 1e-15 else mpf(1) / 2 + r / 6


z = lambda z: z
P4 = (mp.pi / 4)**2 * 1.0001
L2 = mp.log(2) / 2 * 1.0001
put("sin64", sinc, z, 0, P4, 6)
put("cos64", cosc, lambda z: z * z, 0, P4, 6)
put("tan64", tanc, z, 0, P4, 15)
put("asin64", asinc, z, 0, mpf(1) / 4, 13)
put("asin32", asinc, z, 0, mpf(1) / 4, 6)
put("exp32", expc, lambda r: r * r + mpf("0.01"), -L2, L2, 5)
# float32's erf: near 0, and 1 - exp2(-1.625·a - a²·q) beyond.
put("erf32", erfz, lambda u: mpf(1), 0, mpf("0.77"), 7)
put("erfq32", lambda a: (-mp.log(mp.erfc(a), 2) / a - mpf("1.625")) / a, lambda a: mp.erfc(a) * a**2, mpf("0.87"), mpf("3.95"), 8)
put("exp2f32", lambda r: mpf(2)**r, lambda r: mpf(1), -mpf(1) / 2, mpf(1) / 2, 7)
