"""JAX's side of the benchmark: every case jitted, on the CPU."""
import math
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "common"))
threads = os.environ.get("PEER_THREADS", "1")
if threads == "1":
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["NPROC"] = threads  # the size of XLA's thread pool
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:int(threads)])  # whatever else it starts

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp
import numpy as np
import serve

jax.config.update("jax_enable_x64", True)


def jitted(f, *args, keep=lambda y: y):
    """A run is a call of the jitted f, waited for."""
    f = jax.jit(f)
    args = [jax.tree.map(jnp.asarray, x) for x in args]
    last = []

    def run():
        last[:] = [jax.block_until_ready(f(*args))]
    return run, lambda: [np.asarray(x) for x in jax.tree.leaves(keep(last[0]))]


def gemm(a):
    half = a["dtype"] == "bf16"

    def f(x, y):
        return jnp.matmul(jnp.swapaxes(x, -1, -2) if a["ta"] else x, jnp.swapaxes(y, -1, -2) if a["tb"] else y,
                          preferred_element_type=jnp.float32 if half else None)
    return jitted(f, *[jnp.asarray(x, jnp.bfloat16) if half else x for x in serve.operands(a)])


OPS = {
    "add": jnp.add, "sub": jnp.subtract, "mul": jnp.multiply, "div": jnp.divide, "neg": jnp.negative, "abs": jnp.abs,
    "sign": jnp.sign, "square": jnp.square, "sqrt": jnp.sqrt, "rsqrt": jax.lax.rsqrt, "cbrt": jnp.cbrt,
    "reciprocal": jnp.reciprocal, "exp": jnp.exp, "exp2": jnp.exp2, "expm1": jnp.expm1, "log": jnp.log,
    "log2": jnp.log2, "log10": jnp.log10, "log1p": jnp.log1p, "sin": jnp.sin, "cos": jnp.cos, "tan": jnp.tan,
    "asin": jnp.arcsin, "acos": jnp.arccos, "atan": jnp.arctan, "atan2": jnp.arctan2, "sinh": jnp.sinh,
    "cosh": jnp.cosh, "tanh": jnp.tanh, "asinh": jnp.arcsinh, "acosh": jnp.arccosh, "atanh": jnp.arctanh,
    "sigmoid": jax.nn.sigmoid, "softplus": jax.nn.softplus, "relu": jax.nn.relu, "leakyrelu": jax.nn.leaky_relu,
    "elu": jax.nn.elu, "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelutanh": lambda x: jax.nn.gelu(x, approximate=True), "silu": jax.nn.silu, "erf": jax.lax.erf,
    "erfc": jax.lax.erfc, "erfinv": jax.lax.erf_inv, "lgamma": jax.lax.lgamma, "digamma": jax.lax.digamma,
    "pow": jnp.power, "hypot": jnp.hypot, "fma": lambda x, y, z: x * y + z, "min": jnp.minimum, "max": jnp.maximum, "clamp": jnp.clip,
    "floor": jnp.floor, "ceil": jnp.ceil, "round": jnp.round, "trunc": jnp.trunc, "mod": jnp.fmod,
    "gamma": jsp.gamma, "trigamma": lambda x: jsp.polygamma(1, x), "zeta": jsp.zeta, "gammainc": jsp.gammainc, "gammaincc": jsp.gammaincc,
    "polygamma2": lambda x: jsp.polygamma(2, x), "betainc": jsp.betainc, "besseli0": jsp.i0, "besseli1": jsp.i1,
    "besseli0x": jsp.i0e, "besseli1x": jsp.i1e, "expint": jsp.exp1, "expint2": lambda x: jsp.expn(2, x),
    "sinint": lambda x: jsp.sici(x)[0], "cosint": lambda x: jsp.sici(x)[1],
    "besselj0": lambda x: jsp.bessel_jn(x, v=0)[0], "besselj1": lambda x: jsp.bessel_jn(x, v=1)[1],
    "chain8": lambda a, b, c: (((a * b + c) * c + b) * b + c) * c + b,
}


def pointwise(a):
    f = OPS.get(a["op"])
    if f is None:
        raise serve.Unsupported("has no such function")
    return jitted(f, *serve.arguments(a))


def reduce(a):
    def layernorm(x):
        return (x - x.mean(1, keepdims=True)) * jax.lax.rsqrt(x.var(1, keepdims=True) + 1e-5)
    f = {"sum": lambda x: x.sum(1), "max": lambda x: x.max(1), "argmax": lambda x: x.argmax(1), "var": lambda x: x.var(1),
         "logsumexp": lambda x: jax.nn.logsumexp(x, 1), "softmax": lambda x: jax.nn.softmax(x, 1), "layernorm": layernorm,
         "cumsum": lambda x: x.cumsum(1)}[a["op"]]
    return jitted(f, serve.lines(a))


def chain(a):
    def f(p, x):
        return jnp.sum(jnp.tanh(p[0] * x + p[1]) * jax.nn.sigmoid(p[2] * x))
    p = [np.float32(v) for v in a["params"]]
    return jitted(jax.value_and_grad(f), p, serve.numbers("f32", 1, a["n"], -1, 3))


def mlp_loss(ws, x, y):
    h = x
    for l in range(3):
        h = h @ ws[2 * l] + ws[2 * l + 1]
        if l < 2:
            h = jax.nn.relu(h)
    logp = jax.nn.log_softmax(h)
    return -jnp.mean(jnp.take_along_axis(logp, y[..., None], -1))


def mlp_step(a):
    def step(ws, x, y):
        v, g = jax.value_and_grad(mlp_loss)(ws, x, y)
        return v, jax.tree.map(lambda w, d: w - np.float32(a["rate"]) * d, ws, g)
    return step


def training(a, step, before, data):
    """A run is a step from the weights that the run before gave."""
    step = jax.jit(step, donate_argnums=0)
    x, y = map(jnp.asarray, data)
    state = [None, [jnp.asarray(w) for w in before]]

    def run():
        state[:] = jax.block_until_ready(step(state[1], x, y))
    return run, lambda: serve.step_result(a, before, state[0], state[1])


def mlp(a):
    return training(a, mlp_step(a), serve.mlp_weights(a), serve.mlp_data(a))


def norm(x, gain, bias):
    c = x - x.mean(-1, keepdims=True)
    return c * jax.lax.rsqrt(jnp.mean(c * c, -1, keepdims=True) + 1e-5) * gain + bias


def transformer(a):
    heads = a["heads"]

    def loss(ws, x, y):
        n1, m1, wqkv, bqkv, wo, bo, n2, m2, wu, bu, wd, bd = ws
        b, t, d = x.shape
        q, k, v = (z.reshape(b, t, heads, d // heads) for z in jnp.split(norm(x, n1, m1) @ wqkv + bqkv, 3, -1))
        x = x + jax.nn.dot_product_attention(q, k, v).reshape(b, t, d) @ wo + bo
        h = jax.nn.gelu(norm(x, n2, m2) @ wu + bu, approximate=False)
        return jnp.mean(jnp.square(x + h @ wd + bd - y))

    def step(ws, x, y):
        v, g = jax.value_and_grad(loss)(ws, x, y)
        return v, jax.tree.map(lambda w, d: w - np.float32(a["rate"]) * d, ws, g)
    return training(a, step, serve.block_params(a), serve.block_data(a))


def persample(a):
    return jitted(jax.vmap(jax.grad(mlp_loss), (None, 0, 0)), serve.mlp_weights(a), *serve.mlp_data(a))


def price(s, k, r, v, t):
    sd = v * jnp.sqrt(t)
    d1 = (jnp.log(s / k) + (r + v * v / 2) * t) / sd

    def normal(x):
        return jax.lax.erfc(-x * np.sqrt(0.5)) / 2
    return s * normal(d1) - k * jnp.exp(-r * t) * normal(d1 - sd)


def greeks(a):
    return jitted(jax.vmap(jax.value_and_grad(price, argnums=(0, 1, 2, 3, 4))), *serve.arguments(a))


def sparse(a):
    n = a["n"]
    seeds, color, row = serve.band(n)

    def f(u):
        p = jnp.pad(u, 1)
        return (p[:-2] - 2 * u + p[2:]) * u + jnp.exp(-u)

    def entries(u):
        return jax.vmap(lambda t: jax.jvp(f, (u,), (t,))[1])(seeds)[color, row]
    return jitted(entries, *serve.arguments(a))


def heston(a):
    dt, floor = a["years"] / a["steps"], a["floor"]

    def value(p, z):
        spot, strike, rate, first, speed, mean, vol, corr = p
        across = jnp.sqrt(1 - corr * corr)

        def step(c, z):
            s, v = c
            w = jnp.maximum(v, floor)
            root = jnp.sqrt(w * dt)
            return (s + (rate - 0.5 * w) * dt + root * z[0],
                    v + speed * (mean - w) * dt + vol * root * (corr * z[0] + across * z[1])), None
        full = jnp.ones(a["paths"])
        (s, _), _ = jax.lax.scan(step, (jnp.log(spot) * full, first * full), z)
        return jax.nn.relu(jnp.exp(s) - strike).mean() * jnp.exp(-rate * a["years"])
    return jitted(jax.value_and_grad(value), [float(v) for v in a["params"]], serve.normals(a))


def compile(a):
    if a["what"] == "mlp":
        x, y = map(jnp.asarray, serve.mlp_data(a))
        ws = [jnp.asarray(w) for w in serve.mlp_weights(a)]
        make, args = (lambda: mlp_step(a)), (ws, x, y)
        result = lambda last: serve.step_result(a, serve.mlp_weights(a), last[0], last[1])
    else:
        def make():
            def f(x):
                for _ in range(a["ops"] // 4):
                    x = jnp.tanh(jnp.sin(x) * 1.25 + 0.125)
                return x.sum()
            return jax.value_and_grad(f)
        args = (jnp.asarray(serve.numbers("f32", 1, a["n"], -1, 1)),)
        result = list
    last = []

    def run():
        jax.clear_caches()
        last[:] = [jax.block_until_ready(jax.jit(make())(*args))]
    return run, lambda: result(last[0])


def conv(a):
    axes = "DHW"[3 - a["dims"]:]
    names, strides = (f"N{axes}C", f"{axes}IO", f"N{axes}C"), (a["stride"],) * a["dims"]

    def f(x, w):
        if a["transposed"]:
            return jax.lax.conv_transpose(x, w, strides, "SAME", dimension_numbers=names, transpose_kernel=True)
        return jax.lax.conv_general_dilated(x, w, strides, "SAME", dimension_numbers=names, feature_group_count=a["groups"])
    if a["what"] == "grad":
        return jitted(jax.grad(lambda x, w: (f(x, w) ** 2).sum() / 2, (0, 1)), *serve.conv_data(a))
    return jitted(f, *serve.conv_data(a))


def pooled(x, window=2, stride=2):
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, window, window, 1), (1, stride, stride, 1), "VALID")


def pool(a):
    n, size, _, channels = (x := serve.pool_data(a)).shape
    w, s = a["window"], a["stride"]
    f = {"max": lambda x: pooled(x, w, s),
         "mean": lambda x: jax.lax.reduce_window(x, 0.0, jax.lax.add, (1, w, w, 1), (1, s, s, 1), "VALID") / w ** 2,
         "bilinear": lambda x: jax.image.resize(x, (n, 2 * size, 2 * size, channels), "linear")}[a["op"]]
    if a["what"] == "grad":
        return jitted(jax.grad(lambda x: (f(x) ** 2).sum() / 2), x)
    return jitted(f, x)


def cnn(a):
    def loss(ws, x, y):
        for w in ws[1:]:
            x = jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            x = pooled(jax.nn.relu(x))
        z = x.reshape(len(x), -1) @ ws[0]
        return (jax.nn.logsumexp(z, 1) - jnp.take_along_axis(z, y[:, None], 1)[:, 0]).mean()

    def step(ws, x, y):
        v, g = jax.value_and_grad(loss)(ws, x, y)
        return v, [w - a["rate"] * d for w, d in zip(ws, g)]
    step = jax.jit(step, donate_argnums=0)
    ws = [jnp.asarray(w) for w in serve.cnn_weights()]
    x, y = map(jnp.asarray, serve.cnn_data(a))
    last = [None, ws]

    def run():
        last[:] = step(last[1], x, y)
        jax.block_until_ready(last)
    return run, lambda: serve.step_result(a, serve.cnn_weights(), last[0], last[1])


def scalar(a):
    return jitted(jax.value_and_grad(lambda x: x ** 3 + 2 * x), np.float64(3))


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


ORDER = {
    "sort": jnp.sort, "topk": lambda x, _: jax.lax.top_k(x, 10)[0], "cumsum": jnp.cumsum,
    "cumprod": lambda x, axis: jnp.cumprod(1 + 0.001 * x, axis), "cummax": jax.lax.cummax,
    "logcumsumexp": jax.lax.cumlogsumexp, "prod": lambda x, axis: (1 + 0.001 * x).prod(axis), "tril": lambda x, _: jnp.tril(x),
    "reverse": lambda x, _: x[:, ::-1], "any": lambda x, axis: (x > 2.9).any(axis).astype(jnp.float32),
}


def feature(a):
    op = a["op"]
    if "batch" in a:
        f = {"cholesky": jnp.linalg.cholesky, "inverse": jnp.linalg.inv, "solve": lambda m: jnp.linalg.solve(m, jnp.tril(m)),
             "trisolve": lambda m: jax.lax.linalg.triangular_solve(m, m, left_side=True, lower=True),
             "lstsq": jax.vmap(lambda m: jnp.linalg.lstsq(m[:, :a["n"] // 2], m)[0])}[op]
        return jitted(f, serve.definite_matrices(a))
    if op in ORDER:
        def f(x):
            return ORDER[op](x, a["axis"])
        return jitted(jax.grad(lambda x: (f(x) ** 2).sum() / 2) if a["grad"] else f, serve.matrix(a))
    if op in ("segmentsum", "segmentsoftmax"):
        k = a["segments"]

        def softmax(x, ids):
            top = jax.ops.segment_max(x, ids, k)
            e = jnp.exp(x - top[ids])
            return e / jax.ops.segment_sum(e, ids, k)[ids]
        f = softmax if op == "segmentsoftmax" else lambda x, ids: jax.ops.segment_sum(x, ids, k)
        return jitted(f, serve.numbers("f32", 1, a["n"], -1, 1), serve.labels(2, a["n"], k))
    if op == "interp":
        k = a["points"]
        return jitted(lambda x, xp, fp: jnp.interp(x, jnp.cumsum(xp), fp), serve.numbers("f64", 1, a["n"], 0, k),
                      serve.numbers("f64", 2, k, 0.5, 1.5), serve.numbers("f64", 3, k, -1, 1))
    if op == "hvp":
        return jitted(lambda x, v: jax.jvp(jax.grad(rosenbrock), (x,), (v,))[1], *serve.arguments(a))
    t, n, key = serve.DTYPES[a["dtype"]], a["n"], jax.random.PRNGKey(42)
    if op in ("permutation", "categorical", "dropout", "gammas", "poisson100", "poisson3", "binomial300", "binomial3"):
        def dropout(k, x):
            return jnp.where(jax.random.bernoulli(k, 1 - a["rate"], x.shape), x / (1 - a["rate"]), 0)
        draw = {"permutation": lambda k, x: jax.random.permutation(k, n), "dropout": dropout,
                "gammas": lambda k, x: jax.random.gamma(k, x + 0.5),
                "poisson100": lambda k, x: jax.random.poisson(k, x + 98), "poisson3": lambda k, x: jax.random.poisson(k, x + 1),
                "binomial300": lambda k, x: jax.random.binomial(k, 1000, 0.01 * x + 0.28),
                "binomial3": lambda k, x: jax.random.binomial(k, 10, 0.1 * x + 0.1),
                "categorical": lambda k, x: jax.random.categorical(k, x.reshape(-1, a["classes"]))}[op]

        def f(k, x):
            y = draw(k, x)
            return y.astype(np.float64).mean(), y
        return jitted(f, key, serve.numbers(a["dtype"], 1, n, 0, 4))
    f = {"normal": lambda k: jax.random.normal(k, (n,), t), "gamma": lambda k: jax.random.gamma(k, t(2.5), (n,), t)}[op]
    return jitted(f, key)


def move(a):
    op, r, c = a["op"], a["rows"], a["cols"]
    if op.startswith("slice"):
        down, right = (int(s) for s in op[5:].split("x"))
        f = lambda x, y: [x[::down, ::right]]
    elif op.startswith("transpose"):
        perm = [int(s) for s in op[9:].split("/")[0]]
        dims = [a["results"][0][perm.index(i)] for i in range(len(perm))]
        f = lambda x, y: [jnp.transpose(x.reshape(dims), perm)]
    elif op.startswith("reverse"):
        f = lambda x, y: [jnp.flip(x, [int(s) for s in op[7:]])]
    else:
        f = {"stack": lambda x, y: [jnp.stack([x, y], 2)], "concat": lambda x, y: [jnp.concatenate([x, y], 1)],
             "stack3": lambda x, y: [jnp.stack(jnp.split(x, 4)[:3], 2)], "stack4": lambda x, y: [jnp.stack(jnp.split(x, 4), 2)],
             "split": lambda x, y: jnp.split(x, 4, 1), "roll": lambda x, y: [jnp.roll(x, 3, 1)], "pad": lambda x, y: [jnp.pad(x, 1)],
             "reflect": lambda x, y: [jnp.pad(x, ((0, 0), (2, 2)), mode="reflect")], "edge": lambda x, y: [jnp.pad(x, ((0, 0), (2, 2)), mode="edge")],
             "tile": lambda x, y: [jnp.tile(x, (2, 2))], "repeat": lambda x, y: [jnp.repeat(x, 2, 1)], "diagonal": lambda x, y: [jnp.diagonal(x)],
             "diagonals": lambda x, y: [jnp.diagonal(x.reshape(100, 100, 100), axis1=1, axis2=2)],
             "mask": lambda x, y: [jnp.where(y > 1, x, 0)], "where": lambda x, y: [jnp.where(x > y, x, y)]}[op]
    x, y, cots = serve.moved(a)
    if not a["grad"]:
        return jitted(f, x, y)
    if a["both"]:
        return jitted(lambda x, y, c: jax.vjp(f, x, y)[1](c), x, y, cots)
    return jitted(lambda x, y, c: jax.vjp(lambda x: f(x, y), x)[1](c), x, y, cots)


def distinct(values, inverse, counts):
    return values, counts, inverse


INDEX = {
    "takerows": lambda d: d.x[d.ids], "takecolumns": lambda d: d.x[:, d.ids], "take": lambda d: d.x.ravel()[d.far],
    "takealong": lambda d: jnp.take_along_axis(d.x, d.all, 1), "takealongfirst": lambda d: jnp.take_along_axis(d.x, d.all, 0),
    "sort": lambda d: jnp.sort(d.x, 1), "topk": lambda d: jax.lax.top_k(d.x, 10)[0],
    "embedding": lambda d: d.x.reshape(10 * len(d.x), -1)[d.words], "scatteraddrows": lambda d: d.x.at[d.ids].add(d.u),
    "scatteraddcolumns": lambda d: d.x.at[:, d.ids].add(d.u), "scatteradd": lambda d: d.x.ravel().at[d.far].add(d.u.ravel()),
    "bincount": lambda d: jnp.bincount(d.all.ravel(), length=len(d.x)), "searchsorted": lambda d: jnp.searchsorted(d.line, d.x),
    "bucketize": lambda d: jnp.searchsorted(d.edges, d.x), "histogram": lambda d: jnp.histogram(d.x, d.edges)[0],
    "unique": lambda d: distinct(*jnp.unique(d.all.astype(d.x.dtype), size=len(d.x), return_inverse=True, return_counts=True)),
}


def index(a):
    f, data = INDEX[a["op"]], serve.indexed(a)
    if not a["grad"]:
        return jitted(lambda *d: f(serve.Indexed(*d)), *data)
    return jitted(lambda x, *d: jax.grad(lambda x: (f(serve.Indexed(x, *d)) ** 2).sum() / 2)(x), *data)


def parts(y):
    return [y.real, y.imag]


def factored(op):
    """What is unique first."""
    def f(m):
        if op == "lu":
            both, _, perm = jax.lax.linalg.lu(m)
            return jnp.triu(both), jnp.tril(both, -1) + jnp.eye(m.shape[-1]), perm
        if op == "logdet":
            return tuple(jnp.linalg.slogdet(m))[::-1]
        if op in ("det", "expm"):
            return {"det": jnp.linalg.det, "expm": jax.scipy.linalg.expm}[op](m)
        if op == "svd":
            u, s, vt = jnp.linalg.svd(m, full_matrices=False)
            return s, u, vt
        if op == "eigh":
            return tuple(jnp.linalg.eigh(m))
        q, r = jnp.linalg.qr(m)
        return jnp.abs(r), q
    return f


def layers(op, a, v, w, x, t):
    def of(v, w):
        return lambda x: jnp.tanh(w @ jnp.tanh(v @ x))
    if op == "linearize":
        return jitted(jax.linearize(of(v, w), x)[1], t)
    if op == "gnvp":
        def product(v, w, x, t):
            y, tangent = jax.jvp(of(v, w), (x,), (t,))
            cotangent = jax.jvp(jax.grad(lambda y: (y ** 4).sum()), (y,), (tangent,))[1]
            return jax.vjp(of(v, w), x)[1](cotangent)[0]
        return jitted(product, v, w, x, t)
    from jax.experimental.jet import jet

    def series(v, w, x, t):
        y, ys = jet(of(v, w), (x,), ([t] + [jnp.zeros_like(t)] * (a["order"] - 1),))
        return y, *(d / math.factorial(k + 1) for k, d in enumerate(ys))
    return jitted(series, v, w, x, t)


def transform(a):
    op, data = a["op"], serve.transform_data(a)
    if op == "fft":
        return jitted(jnp.fft.fft, *data, keep=parts)
    if "batch" in a:
        f = factored(op)
        return jitted(jax.grad(lambda m: jax.tree.leaves(f(m))[0].sum()) if a["what"] == "grad" else f, *data)
    if op == "scan":
        def loss(w, xs):
            h, _ = jax.lax.scan(lambda h, x: (jnp.tanh(h @ w + x), None), jnp.zeros_like(xs[0]), xs)
            return (h * h).sum()
        return jitted(jax.value_and_grad(loss), *data)
    if op == "lstm":
        def cell(wx, wh, b):
            def step(s, x):
                h, c = s
                i, f, g, o = jnp.split(x @ wx + h @ wh + b, 4, 1)
                c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
                return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None
            return step

        def loss(ws, xs):
            (h, _), _ = jax.lax.scan(cell(*ws), (jnp.zeros_like(xs[0]), jnp.zeros_like(xs[0])), xs)
            return (h * h).sum()

        def graded(wx, wh, b, xs):
            y, g = jax.value_and_grad(loss)((wx, wh, b), xs)
            return y, *g
        return jitted(graded, *data)
    if op == "while":
        return jitted(lambda x: jax.lax.while_loop(lambda s: s[0] > a["end"], lambda s: (s[0] * a["factor"], s[1] + 1), (x, 0.0)), *data)
    if op == "jacobian":
        return jitted(lambda v, w, x, _: jax.jacfwd(lambda x: jnp.tanh(w @ jnp.tanh(v @ x)))(x), *data)
    if op in ("linearize", "gnvp", "jet"):
        return layers(op, a, *data)
    if op == "hessiandiag":
        return jitted(lambda x, seeds: jax.vmap(lambda s: s * jax.jvp(jax.grad(rosenbrock), (x,), (s,))[1])(seeds).sum(0), *data)
    if op == "cond":
        return jitted(lambda x: jax.lax.fori_loop(
            0, a["steps"], lambda _, x: jax.lax.cond(x > 1, lambda: x - 0.75, lambda: x + 0.5), x), *data)
    if op == "switch":
        return jitted(jax.vmap(lambda x, i: jax.lax.switch(i, [jnp.sin, jnp.exp, jnp.tanh, jnp.square], x)), *data)
    if op == "cg":
        def laplace(v):
            p = jnp.pad(v, 1)
            return a["diagonal"] * v - p[:-2] - p[2:]
        return jitted(lambda b: jax.scipy.sparse.linalg.cg(laplace, b, tol=a["tolerance"])[0], *data)
    if op == "eager":
        start, read = jnp.asarray(data[0]), []

        def run():
            x = start
            read.clear()
            for _ in range(a["steps"]):
                x = x - 0.01 * jnp.sin(x)
                read.append(float((x * x).sum()))
        return run, lambda: [np.array(read)]
    if op == "hessian":
        return jitted(jax.hessian(rosenbrock), *data)
    if op == "jvp":
        return jitted(lambda x, t: jax.jvp(lambda x: jnp.tanh(jnp.sin(x) * x), (x,), (t,)), *data)
    if op == "taylor":
        from jax.experimental.jet import jet

        def fifth(x):
            one, zero = jnp.ones_like(x), jnp.zeros_like(x)
            return jet(lambda x: jnp.exp(-0.5 * x * x) * jnp.sin(x), (x,), ((one, zero, zero, zero, zero),))[1][4]
        return jitted(fifth, *data)
    if op == "solve":
        return jitted(jax.grad(lambda m, b: (jnp.linalg.solve(m, b) ** 2).sum(), (0, 1)), *data)
    if op == "fixedpoint":
        def next(x, w, b):
            return jnp.tanh(w @ x + b)

        def loss(w, b):
            x = jax.lax.custom_root(
                lambda x: next(x, w, b) - x, jnp.zeros_like(b),
                lambda f, x: jax.lax.fori_loop(0, a["steps"], lambda _, x: f(x) + x, x),
                lambda g, y: jnp.linalg.solve(jax.jacobian(g)(y), y))
            return (x * x).sum()
        return jitted(jax.grad(loss, (0, 1)), *data)
    if op == "checkpoint":
        @jax.checkpoint
        def piece(w, x):
            for _ in range(a["every"]):
                x = jnp.tanh(x @ w)
            return x

        def deep(w, x):
            # In a plain loop XLA finds on the CPU that the second run of a piece is the first, and keeps all values: 18.6 MB in the place of 4.7.
            x, _ = jax.lax.scan(lambda x, _: (piece(w, x), None), x, length=a["layers"] // a["every"])
            return (x * x).sum()
        return jitted(jax.value_and_grad(deep, (0, 1)), *data)
    raise serve.Unsupported("has no such transform")


serve.serve("jax", jax.__version__, {
    "gemm": gemm, "pointwise": pointwise, "reduce": reduce, "chain": chain, "mlp": mlp, "persample": persample,
    "transformer": transformer, "greeks": greeks, "heston": heston, "sparse": sparse, "compile": compile, "scalar": scalar,
    "conv": conv, "pool": pool, "cnn": cnn, "feature": feature, "move": move, "index": index, "transform": transform})
