"""The peers' side of the protocol in bench/peers.go, and the data that all sides work on."""
import collections
import json
import os
import sys
import time

import numpy as np

THREADS = int(os.environ.get("PEER_THREADS", "1"))
DTYPES = {"f32": np.float32, "f64": np.float64, "bf16": np.float32}  # NumPy has no bfloat16: a peer that has rounds


def number(seed, n):
    """n numbers of [0, 1) with 24 bits."""
    z = np.arange(n, dtype=np.uint64) + np.uint64(seed << 32) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) / (1 << 24)


def numbers(dtype, seed, n, lo, hi):
    return (lo + (hi - lo) * number(seed, n)).astype(DTYPES[dtype])


def labels(seed, n, k):
    return (number(seed, n) * k).astype(np.int32)


def operands(a):
    """A and B of a product, of the shapes that they are stored in."""
    batch, m, n, k = a["batch"], a["m"], a["n"], a["k"]
    shape_a, shape_b = ((k, m) if a["ta"] else (m, k)), ((n, k) if a["tb"] else (k, n))
    if batch > 1:
        shape_a, shape_b = (batch,) + shape_a, (batch,) + shape_b
    return (numbers(a["dtype"], 1, batch * m * k, -1, 1).reshape(shape_a),
            numbers(a["dtype"], 2, batch * k * n, -1, 1).reshape(shape_b))


def arguments(a):
    return [numbers(a["dtype"], i + 1, a["n"], lo, hi) for i, (lo, hi) in enumerate(zip(a["lo"], a["hi"]))]


def matrix(a):
    return numbers(a["dtype"], 1, a["rows"] * a["cols"], -1, 3).reshape(a["rows"], a["cols"])


def moved(a):
    """Two matrices, and cotangents of the results of what moves their elements."""
    n, cots, at = a["rows"] * a["cols"], [], 0
    all = numbers(a["dtype"], 3, sum(int(np.prod(s)) for s in a["results"]), -1, 3)
    for shape in a["results"]:
        cots.append(all[at:at + int(np.prod(shape))].reshape(shape))
        at += cots[-1].size
    return *(numbers(a["dtype"], s, n, -1, 3).reshape(a["rows"], a["cols"]) for s in (1, 2)), cots


Indexed = collections.namedtuple("Indexed", "x u ids all far words edges line")


def indexed(a):
    n, t = a["n"], a["dtype"]
    return Indexed(numbers(t, 1, n * n, -1, 1).reshape(n, n), numbers(t, 2, n * n, -1, 1).reshape(n, n), labels(3, n, n),
                   labels(4, n * n, n).reshape(n, n), labels(5, n * n, n * n), labels(8, 10 * n, 10 * n),
                   np.sort(numbers(t, 6, a["edges"], -1, 1)), np.sort(numbers(t, 7, n, -1, 1)))


def lines(a):
    """An array that is reduced along its axis 1, without a last axis of one."""
    shape = a["shape"] if a["shape"][2] > 1 else a["shape"][:2]
    return numbers(a["dtype"], 1, int(np.prod(shape)), -1, 3).reshape(shape)


def mlp_weights(a):
    ws, sizes = [], a["sizes"]
    for l in range(3):
        r = 1 / np.sqrt(sizes[l])
        ws += [numbers("f32", 10 + l, sizes[l] * sizes[l + 1], -r, r).reshape(sizes[l], sizes[l + 1]),
               np.zeros(sizes[l + 1], np.float32)]
    return ws


def mlp_data(a):
    return (numbers("f32", 1, a["batch"] * a["sizes"][0], 0, 1).reshape(a["batch"], -1),
            labels(2, a["batch"], a["sizes"][3]))


def block_params(a):
    d, h, ps = a["dim"], a["hidden"], []
    for i, shape in enumerate([(d,), (d,), (d, 3 * d), (3 * d,), (d, d), (d,), (d,), (d,), (d, h), (h,), (h, d), (d,)]):
        r = 1 / np.sqrt(shape[0])
        if len(shape) == 2:
            ps.append(numbers("f32", 10 + i, shape[0] * shape[1], -r, r).reshape(shape))
        else:
            ps.append(np.full(shape, 1 if i in (0, 6) else 0, np.float32))
    return ps


def block_data(a):
    shape = a["batch"], a["tokens"], a["dim"]
    return [numbers("f32", seed, int(np.prod(shape)), -1, 1).reshape(shape) for seed in (1, 2)]


def normals(a):
    """[steps, 2, paths], by Box and Muller from the two rows of uniform numbers of a step."""
    u = number(1, a["steps"] * 2 * a["paths"]).reshape(a["steps"], 2, a["paths"])
    r, angle = np.sqrt(-2 * np.log(1 - u[:, 0])), 2 * np.pi * u[:, 1]
    return np.stack([r * np.cos(angle), r * np.sin(angle)], 1)


def step_result(a, before, loss, after):
    """The loss and the gradient that a step went along."""
    parts = [np.array([float(loss)])]
    for old, new in zip(before, after):
        parts.append((old.astype(np.float64) - np.asarray(new, np.float64)).ravel() / a["rate"])
    return parts


def band(n):
    """The three tangents of a tridiagonal n × n matrix, and of each entry, row by row, its tangent and its row."""
    seeds = (np.arange(n) % 3 == np.arange(3)[:, None]).astype(np.float64)
    k = np.arange(1, 3 * n - 1)
    row = k // 3
    return seeds, (row + k % 3 - 1) % 3, row


class Flat:
    """Some arrays laid out one after the other, without another copy of them."""

    def __init__(self, arrays):
        self.parts = [np.asarray(p).ravel() for p in arrays]
        self.ends = np.cumsum([p.size for p in self.parts])

    def __getitem__(self, i):
        part = int(np.searchsorted(self.ends, i, side="right"))
        return float(self.parts[part][i - self.ends[part]])


def conv_data(a):
    """Pictures and filters, channels last; those of a transposed convolution are what else is its result."""
    s, channels, each = a["size"], a["in"], a["in"] // a["groups"]
    if a["transposed"]:
        s, channels = -(-s // a["stride"]), a["out"]
    x, w = (a["n"], *[s] * a["dims"], channels), (*[a["filter"]] * a["dims"], each, a["out"])
    return numbers("f32", 1, int(np.prod(x)), -1, 1).reshape(x), numbers("f32", 2, int(np.prod(w)), -0.1, 0.1).reshape(w)


def pool_data(a):
    return numbers("f32", 1, a["n"] * a["size"] ** 2 * a["in"], -1, 1).reshape(a["n"], a["size"], a["size"], a["in"])


def cnn_weights():
    return [numbers("f32", 12, 49 * 64 * 10, -0.02, 0.02).reshape(49 * 64, 10),
            numbers("f32", 10, 9 * 32, -0.3, 0.3).reshape(3, 3, 1, 32),
            numbers("f32", 11, 9 * 32 * 64, -0.06, 0.06).reshape(3, 3, 32, 64)]


def cnn_data(a):
    return numbers("f32", 1, a["n"] * 28 * 28, 0, 1).reshape(a["n"], 28, 28, 1), labels(2, a["n"], 10)


def definite_matrices(a):
    """Positive definite matrices."""
    n = a["n"]
    m = numbers("f64", 1, a["batch"] * n * n, -1, 1).reshape(-1, n, n)
    return (m @ m.swapaxes(1, 2) + n * np.eye(n)).astype(DTYPES[a["dtype"]])


def factor_matrices(a):
    n = a["n"]
    rows = a.get("m", n)
    m = numbers("f64", 1, a["batch"] * rows * n, -1, 1).reshape(-1, rows, n)
    return (m + m.swapaxes(1, 2) if a["symmetric"] else m).astype(DTYPES[a["dtype"]])


def square(seed, n, dtype="f64"):
    """A matrix whose product with a vector is about as large as that."""
    r = 1 / np.sqrt(n)
    return numbers(dtype, seed, n * n, -r, r).reshape(n, n)


def transform_data(a):
    """The arrays of the cases in cases_transforms.go."""
    op, t, n = a["op"], a["dtype"], a.get("n")
    if op == "fft":
        shape = a["rows"], n
        re, im = (numbers(t, s, a["rows"] * n, -1, 1).reshape(shape) for s in (1, 2))
        return [re + 1j * im]
    if "batch" in a:
        return [factor_matrices(a)]
    if op == "scan":
        shape = a["steps"], a["rows"], a["width"]
        return [square(1, a["width"], t), numbers(t, 2, int(np.prod(shape)), -1, 1).reshape(shape)]
    if op == "lstm":
        w, shape = a["width"], (a["steps"], a["rows"], a["width"])
        r = 1 / np.sqrt(w)
        return [*(numbers(t, s, 4 * w * w, -r, r).reshape(w, 4 * w) for s in (1, 2)), numbers(t, 3, 4 * w, -1, 1),
                numbers(t, 4, int(np.prod(shape)), -1, 1).reshape(shape)]
    if op == "while":
        return [np.array(1.0)]
    if op in ("jacobian", "linearize", "gnvp", "jet"):
        return [square(1, n), square(2, n), *(numbers(t, s, n, -1, 1) for s in (3, 4))]
    if op == "hessiandiag":
        return [numbers(t, 1, n, -1, 1), (np.arange(n) % 2 == np.arange(2)[:, None]).astype(np.float64)]
    if op == "switch":
        return [numbers(t, 1, n, -1, 1), labels(2, n, 4)]
    if op in ("cg", "eager"):
        return [numbers(t, 1, n, -1, 1)]
    if op == "cond":
        return [np.array(0.125)]
    if op == "solve":
        return [square(1, n) + 2 * np.eye(n), numbers(t, 2, n, -1, 1)]
    if op == "fixedpoint":
        return [0.5 * square(1, n), numbers(t, 2, n, -1, 1)]
    if op == "checkpoint":
        return [(np.sqrt(3) * square(1, n)).astype(DTYPES[t]), numbers(t, 2, n * n, -1, 1).reshape(n, n)]
    return arguments(a)


class Unsupported(Exception):
    pass


def serve(name, version, kinds):
    """kinds maps a case's kind to a function of its arguments that gives run() and result(), the latter a
    list of arrays. A run has ended when run() returns."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not for the runner

    def answer(x):
        out.write(json.dumps(x) + "\n")
        out.flush()

    answer({"name": name, "version": version})
    run = result = flat = None
    for line in sys.stdin:
        q = json.loads(line)
        try:
            if "prepare" in q:
                run = result = flat = None
                kind = kinds.get(q["args"]["kind"])
                if kind is None:
                    raise Unsupported("has no such case")
                run, result = kind(q["args"])
                t = time.perf_counter_ns()
                run()
                ns = time.perf_counter_ns() - t
                flat = Flat(result())
                answer({"ns": ns})
            elif "at" in q:
                values = [flat[i] for i in q["at"]]
                answer({"values": [x if np.isfinite(x) else None for x in values]})
            else:
                n = q["run"]
                t = time.perf_counter_ns()
                for _ in range(n):
                    run()
                answer({"ns": time.perf_counter_ns() - t})
        except Exception as e:  # the runner shows it
            answer({"error": (f"{type(e).__name__}: " if not isinstance(e, Unsupported) else "") + str(e).strip().split("\n")[0][:200]})
