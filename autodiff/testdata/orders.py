"""Writes orders.txt: values and derivatives of functions of a real order, by mpmath 1.3 with 60 digits.

A line holds a function's name, the order and the argument (float32 numbers), its value, and its first and second
derivatives by the argument. Run it in this folder.
"""
import struct
import mpmath as mp

mp.mp.dps = 60


def f32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


ORDERS = [0, 1, 0.25, 0.5, 1.75, 3, 7.5, 20.25]
POINTS = [0.05, 0.7, 1.9, 2.1, 5, 12, 40]
F = {
    "BesselJ": (lambda n, x: mp.besselj(n, x), ORDERS + [-1, -0.5, -2.75], POINTS),
    "BesselY": (lambda n, x: mp.bessely(n, x), [0, 1, 0.25, 0.5, 1.75, 3, -1, -0.75], POINTS[1:]),
    "BesselI": (lambda n, x: mp.besseli(n, x), ORDERS + [-2, -0.75], POINTS),
    "BesselK": (lambda n, x: mp.besselk(n, x), [0, 1, 0.25, 0.5, 1.75, 3, 7.5, -0.75], POINTS[1:]),
    "BesselIx": (lambda n, x: mp.besseli(n, x) * mp.exp(-x), ORDERS, POINTS + [900]),
    "BesselKx": (lambda n, x: mp.besselk(n, x) * mp.exp(x), [0, 1, 0.25, 1.75, 7.5], POINTS[1:] + [900]),
    "ExpintN": (lambda n, x: mp.expint(n, x), [-2, -1.5, 0, 0.5, 1, 2, 2.5, 5, 30], [0.05, 0.7, 0.99, 1.1, 5, 20]),
}

with open("orders.txt", "w") as out:
    for name, (f, orders, points) in F.items():
        for n in orders:
            for x in points:
                x = f32(x)
                a, h = mp.mpf(x), mp.mpf(10) ** -15 * min(1, x)
                g = lambda v: f(mp.mpf(n), v)
                row = [g(a), (g(a + h) - g(a - h)) / (2 * h), (g(a + h) - 2 * g(a) + g(a - h)) / h**2]
                print(name, n, x, *[mp.nstr(v.real, 17) for v in row], file=out)
