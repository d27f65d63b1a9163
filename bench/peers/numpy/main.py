"""NumPy's side of the benchmark: products, pointwise functions into an array that is there, reductions."""
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "common"))
import numpy as np
import serve


def gemm(a):
    x, y = serve.operands(a)
    x, y = (np.swapaxes(x, -1, -2) if a["ta"] else x), (np.swapaxes(y, -1, -2) if a["tb"] else y)
    out = np.matmul(x, y)
    return (lambda: np.matmul(x, y, out=out)), lambda: [out]


OPS = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative, "abs": np.abs,
    "sign": np.sign, "square": np.square, "sqrt": np.sqrt, "cbrt": np.cbrt, "reciprocal": np.reciprocal,
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10,
    "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "atan2": np.arctan2, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "pow": np.power, "hypot": np.hypot,
    "min": np.minimum, "max": np.maximum, "clamp": np.clip, "floor": np.floor, "ceil": np.ceil, "round": np.rint,
    "trunc": np.trunc, "mod": np.fmod,
}


def pointwise(a):
    f = OPS.get(a["op"])
    if f is None:
        raise serve.Unsupported("has no such function")
    x = serve.arguments(a)
    out = np.empty_like(x[0])
    return (lambda: f(*x, out=out)), lambda: [out]


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def reduce(a):
    x = serve.lines(a)
    f = {"sum": lambda: x.sum(1), "max": lambda: x.max(1), "argmax": lambda: x.argmax(1), "var": lambda: x.var(1),
         "logsumexp": lambda: np.log(np.exp(x - x.max(1, keepdims=True)).sum(1)) + x.max(1), "softmax": lambda: softmax(x),
         "layernorm": lambda: (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5),
         "cumsum": lambda: x.cumsum(1)}[a["op"]]
    return f, lambda: [f()]


serve.serve("numpy", np.__version__, {"gemm": gemm, "pointwise": pointwise, "reduce": reduce})
