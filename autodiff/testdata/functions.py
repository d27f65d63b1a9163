"""Writes functions.txt: values and derivatives of scalar functions, by mpmath 1.3 with 60 digits.

A line holds a function's name, its arguments (float32 numbers), its value, and its first and second derivatives by each
argument. Run it in this folder.
"""
import struct
import mpmath as mp

mp.mp.dps = 60
pi, log, exp, sqrt = mp.pi, mp.log, mp.exp, mp.sqrt
deg = pi / 180


def f32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


TRIG = [-2.9, -0.7, 0.3, 1.2, 2.5]
DEG = [-310.0, -20.0, 33.0, 61.0, 130.0, 1000.5]
WIDE = [-20.0, -3.5, -0.6, 0.01, 0.4, 1.7, 9.0, 40.0]
OUT = [-30.0, -2.2, -1.01, 1.01, 1.7, 50.0]
AIRY = [-9.3, -4.1, -1.2, -0.9, -0.3, 0.2, 0.95, 1.1, 2.3, 6.0]
POS = [0.02, 0.3, 0.7, 1.3, 3.3, 12.0]

ONE = {
    "Sec": (mp.sec, TRIG), "Csc": (mp.csc, TRIG), "Cot": (mp.cot, TRIG),
    "Asec": (lambda x: mp.acos(1 / x), OUT), "Acsc": (lambda x: mp.asin(1 / x), OUT),
    "Acot": (lambda x: mp.atan(1 / x), [-30, -0.5, 1e-3, 0.8, 1e6]),
    "Deg2Rad": (lambda x: x * deg, DEG), "Rad2Deg": (lambda x: x / deg, TRIG),
    "SinPi": (lambda x: mp.sin(pi * x), [-2.25, -0.4, 0.1, 0.7, 100.3, 1.01]),
    "CosPi": (lambda x: mp.cos(pi * x), [-2.25, -0.4, 0.1, 0.7, 100.3, 1.51]),
    "Sind": (lambda x: mp.sin(x * deg), DEG), "Cosd": (lambda x: mp.cos(x * deg), DEG), "Tand": (lambda x: mp.tan(x * deg), DEG),
    "Secd": (lambda x: mp.sec(x * deg), DEG), "Cscd": (lambda x: mp.csc(x * deg), DEG), "Cotd": (lambda x: mp.cot(x * deg), DEG),
    "Asind": (lambda x: mp.asin(x) / deg, [-0.9, 0.1, 0.6]), "Acosd": (lambda x: mp.acos(x) / deg, [-0.9, 0.1, 0.6]),
    "Atand": (lambda x: mp.atan(x) / deg, WIDE), "Asecd": (lambda x: mp.acos(1 / x) / deg, OUT),
    "Acscd": (lambda x: mp.asin(1 / x) / deg, OUT), "Acotd": (lambda x: mp.atan(1 / x) / deg, POS),
    "Sinc": (lambda x: mp.sin(pi * x) / (pi * x), [-2.3, -0.45, 1e-3, 0.2, 0.55, 1.4, 7.7]),
    "Sech": (mp.sech, WIDE), "Csch": (mp.csch, WIDE), "Coth": (mp.coth, [-5, -0.6, 0.01, 0.4, 1.7, 4]),
    "Asech": (mp.asech, [0.01, 0.3, 0.49, 0.51, 0.9, 0.999]), "Acsch": (mp.acsch, WIDE), "Acoth": (mp.acoth, OUT),
    "Exp10": (lambda x: mp.mpf(10) ** x, [-7.5, -0.3, 0.01, 2.2]),
    "Log1pExp": (lambda x: mp.log1p(exp(x)), WIDE), "Logistic": (lambda x: 1 / (1 + exp(-x)), WIDE),
    "Logit": (lambda x: log(x / (1 - x)), [1e-4, 0.2, 0.26, 0.49, 0.51, 0.8, 0.999]),
    "Log1pSquare": (lambda x: mp.log1p(x * x), WIDE + [1e-4, 1e10]),
    "Log1mExp": (lambda x: log(-mp.expm1(x)), [-40, -3, -0.7, -0.69, -0.1, -1e-5]),
    "Log2mExp": (lambda x: log(2 - exp(x)), [-30, -1, -1e-4, 0.01, 0.5, 0.69]),
    "LogExpm1": (lambda x: log(mp.expm1(x)), POS + [1e-5, 60]),
    "XLogX": (lambda x: x * log(x), POS), "XExpX": (lambda x: x * exp(x), [-30, -0.5, 0.01, 3]),
    "Gamma": (mp.gamma, [-1.5, 0.1, 0.7, 2.2, 9.5]), "Trigamma": (lambda x: mp.psi(1, x), POS),
    "Erfinv": (mp.erfinv, [-0.99, -0.4, 0.01, 0.7, 0.999]), "Erfcinv": (lambda x: mp.erfinv(1 - x), [0.3, 0.9, 1.6]),
    "Erfcx": (lambda x: exp(x * x) * mp.erfc(x), [-3, -0.4, 0.2, 1.5, 4]),
    "LogErfcx": (lambda x: x * x + log(mp.erfc(x)), [-3, -0.4, 0.2, 1.5, 4]),
    "LogErfc": (lambda x: log(mp.erfc(x)), [-2, -0.4, 0.2, 0.99, 1.01, 5, 12]),
    "Erfi": (mp.erfi, [-3, -0.4, 0.01, 1.5, 6.4, 7]),
    "Dawson": (lambda x: sqrt(pi) / 2 * exp(-x * x) * mp.erfi(x), [-3, -0.4, 0.01, 1.5, 4, 8]),
    "BesselJ0": (lambda x: mp.besselj(0, x), [-1.1, 0.3, 1.9, 5, 11]), "BesselJ1": (lambda x: mp.besselj(1, x), [-1.1, 0.3, 1.9, 5, 11]),
    "BesselY0": (lambda x: mp.bessely(0, x), [0.3, 1.9, 5, 11]), "BesselY1": (lambda x: mp.bessely(1, x), [0.3, 1.9, 5, 11]),
    "BesselI0": (lambda x: mp.besseli(0, x), [-1.1, 0.3, 1.9, 11, 29.5, 31]), "BesselI1": (lambda x: mp.besseli(1, x), [-1.1, 0.3, 1.9, 11, 29.5, 31]),
    "Expint": (mp.e1, POS), "Sinint": (mp.si, [-3, 0.1, 1.3, 3.9, 4.1, 17]), "Cosint": (mp.ci, [0.1, 1.3, 3.9, 4.1, 17]),
    "Ellipk": (mp.ellipk, [-5, -0.3, 0.2, 0.6, 0.95]), "Ellipe": (mp.ellipe, [-5, -0.3, 0.2, 0.6, 0.95]),
    "InvDigamma": (lambda y: mp.findroot(lambda x: mp.psi(0, x) - y, exp(y) + 0.5 if y > -2.22 else -1 / (y + mp.euler)), [-8, -2.3, -0.5, 0.3, 2.5, 9]),
    "AiryAi": (mp.airyai, AIRY), "AiryAiPrime": (lambda x: mp.airyai(x, derivative=1), AIRY),
    "AiryBi": (mp.airybi, AIRY), "AiryBiPrime": (lambda x: mp.airybi(x, derivative=1), AIRY),
    "AiryAix": (lambda x: mp.airyai(x) * exp(2 * x ** 1.5 / 3), POS), "AiryAiPrimex": (lambda x: mp.airyai(x, derivative=1) * exp(2 * x ** 1.5 / 3), POS),
    "AiryBix": (lambda x: mp.airybi(x) * exp(-2 * x ** 1.5 / 3), POS[:-1]), "AiryBiPrimex": (lambda x: mp.airybi(x, derivative=1) * exp(-2 * x ** 1.5 / 3), POS[:-1]),
    "Rem2Pi": (lambda x: x - 2 * pi * mp.nint(x / (2 * pi)), WIDE), "Mod2Pi": (lambda x: x - 2 * pi * mp.floor(x / (2 * pi)), WIDE),
    "Log1pmx": (lambda x: mp.log1p(x) - x, [-0.9, -0.49, -0.2, 0.03, 0.3, 0.49, 0.51, 4]),
    "Logmxp1": (lambda x: log(x) - x + 1, [0.1, 0.51, 0.8, 1.03, 1.3, 1.6, 5]),
}
PAIRS = [(-30, 2), (-0.5, 0.7), (0.3, 0.31), (4, -9), (50, 49)]
INCOMPLETE = [(0.3, 0.2), (0.7, 2.5), (1.5, 1), (2.5, 6), (4, 3.5), (9, 7), (9, 14)]
QUARTER = [(0.3, 0.7), (1.5, 2.5), (4, 0.4), (9, 7)]
TWO = {
    "LogBase": (lambda x, b: log(x) / log(b), [(0.3, 7), (5, 0.2), (12, 3)]),
    "XLogY": (lambda x, y: x * log(y), [(-3, 0.2), (0.5, 4), (2, 0.9)]),
    "XLog1pY": (lambda x, y: x * mp.log1p(y), [(-3, -0.2), (0.5, 4), (2, 1e-4)]),
    "LogAddExp": (lambda x, y: log(exp(x) + exp(y)), PAIRS), "LogSubExp": (lambda x, y: log(abs(exp(x) - exp(y))), PAIRS),
    "FloorMod": (lambda x, y: x - y * mp.floor(x / y), [(-7.3, 2), (7.3, -2), (5.1, 0.7), (-5.1, -0.7)]),
    "LogBeta": (lambda x, y: log(mp.beta(x, y)), QUARTER), "Beta": (mp.beta, QUARTER),
    "ErfTo": (lambda x, y: mp.erfc(x) - mp.erfc(y), [(0.3, 0.9), (2, 2.5), (-2.5, -2.25), (-0.5, 0.75)]),
    "GammaInc": (lambda a, x: mp.gammainc(a, 0, x, regularized=True), INCOMPLETE),
    "GammaIncc": (lambda a, x: mp.gammainc(a, x, mp.inf, regularized=True), INCOMPLETE),
}
THREE = {"BetaInc": (lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True),
                     [(0.3, 0.7, 0.2), (2.5, 0.6, 0.9), (1.5, 4, 0.4), (9, 7, 0.5), (0.8, 3, 0.7)])}

with open("functions.txt", "w") as out:
    for name, (f, points) in {**ONE, **TWO, **THREE}.items():
        for p in points:
            p = [f32(v) for v in (p if isinstance(p, tuple) else (p,))]
            a = [mp.mpf(v) for v in p]
            row = [f(*a)]
            for k in range(len(p)):
                g = lambda v: f(*(a[:k] + [v] + a[k + 1:]))
                # Central differences: their error is 1e-30, their rounding 1e-30 or less.
                h = mp.mpf(10) ** -15 * min(1, abs(a[k]))
                row += [(g(a[k] + h) - g(a[k] - h)) / (2 * h), (g(a[k] + h) - 2 * g(a[k]) + g(a[k] - h)) / h**2]
            print(name, *p, *[mp.nstr(v.real, 17) for v in row], file=out)
