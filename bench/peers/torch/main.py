"""PyTorch's side of the benchmark, on the CPU: `main.py eager`, or `main.py compile` for torch.compile."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "common"))
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.abspath(os.path.join(".peers", "inductor")))
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import torch
import torch.utils.checkpoint
import serve

COMPILE = sys.argv[1] == "compile"
torch.set_num_threads(serve.THREADS)
F = torch.nn.functional
special = torch.special


def compiled(f):
    if not COMPILE:
        return f
    torch._dynamo.reset()
    return torch.compile(f, dynamic=False)


def no_grad(f):
    def g():
        with torch.inference_mode():
            f()
    return g


def tensors(arrays):
    return [torch.from_numpy(x) for x in arrays]


def gemm(a):
    x, y = tensors(serve.operands(a))
    if a["dtype"] == "bf16":
        x, y = x.bfloat16(), y.bfloat16()
    x, y = (x.mT if a["ta"] else x), (y.mT if a["tb"] else y)
    out = torch.matmul(x, y)
    return no_grad(lambda: torch.matmul(x, y, out=out)), lambda: [out.float() if a["dtype"] == "bf16" else out]


OPS = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "neg": torch.neg, "abs": torch.abs,
    "sign": torch.sign, "square": torch.square, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal, "exp": torch.exp, "exp2": torch.exp2, "expm1": torch.expm1, "log": torch.log,
    "log2": torch.log2, "log10": torch.log10, "log1p": torch.log1p, "sin": torch.sin, "cos": torch.cos,
    "tan": torch.tan, "asin": torch.asin, "acos": torch.acos, "atan": torch.atan, "atan2": torch.atan2,
    "sinh": torch.sinh, "cosh": torch.cosh, "tanh": torch.tanh, "asinh": torch.asinh, "acosh": torch.acosh,
    "atanh": torch.atanh, "sigmoid": torch.sigmoid, "erf": torch.erf, "erfc": torch.erfc, "erfinv": torch.erfinv, "lgamma": torch.lgamma,
    "digamma": torch.digamma, "pow": torch.pow, "hypot": torch.hypot, "min": torch.minimum, "max": torch.maximum,
    "clamp": torch.clamp, "floor": torch.floor, "ceil": torch.ceil, "round": torch.round, "trunc": torch.trunc,
    "mod": torch.fmod, "zeta": special.zeta, "gammainc": special.gammainc, "gammaincc": special.gammaincc, "erfcx": special.erfcx,
    "besselj0": special.bessel_j0, "besselj1": special.bessel_j1, "bessely0": special.bessel_y0, "bessely1": special.bessel_y1,
    "besseli0": special.i0, "besseli1": special.i1, "besselk0": special.modified_bessel_k0, "besselk1": special.modified_bessel_k1,
    "besseli0x": special.i0e, "besseli1x": special.i1e, "besselk0x": special.scaled_modified_bessel_k0, "besselk1x": special.scaled_modified_bessel_k1,
}
# Those without out=.
MORE = {
    "softplus": F.softplus, "relu": torch.relu, "gelu": F.gelu, "gelutanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu, "fma": lambda x, y, z: torch.addcmul(z, x, y), "leakyrelu": lambda x, s: torch.where(x > 0, x, s * x),
    "elu": lambda x, s: torch.where(x > 0, x, s * torch.expm1(x)),
    "trigamma": lambda x: special.polygamma(1, x), "polygamma2": lambda x: special.polygamma(2, x), "airyai": special.airy_ai, "gamma": lambda x: torch.exp(torch.lgamma(x)),
    "chain8": lambda a, b, c: (((a * b + c) * c + b) * b + c) * c + b,
}


def pointwise(a):
    x = tensors(serve.arguments(a))
    if a["op"] in MORE:
        f, out = compiled(MORE[a["op"]]), [None]

        def run():
            out[0] = f(*x)
        return no_grad(run), lambda: [out[0].numpy()]
    f = OPS.get(a["op"])
    if f is None:
        raise serve.Unsupported("has no such function")
    out = torch.empty_like(x[0])
    return no_grad(lambda: f(*x, out=out)), lambda: [out]


def reduce(a):
    x, = tensors([serve.lines(a)])
    n, last = a["shape"][1], x.dim() == 2

    def layernorm(x):
        if last:
            return torch.nn.functional.layer_norm(x, (n,))
        return (x - x.mean(1, keepdim=True)) * torch.rsqrt(x.var(1, correction=0, keepdim=True) + 1e-5)
    f = {"sum": lambda x: x.sum(1), "max": lambda x: x.amax(1), "argmax": lambda x: x.argmax(1), "var": lambda x: x.var(1, correction=0),
                  "logsumexp": lambda x: x.logsumexp(1), "softmax": lambda x: torch.softmax(x, 1), "layernorm": layernorm,
                  "cumsum": lambda x: x.cumsum(1)}[a["op"]]
    return no_grad(lambda: f(x)), lambda: [f(x).numpy()]


def gradients(f, wrt, args):
    """Value and gradient by wrt, into fresh tensors each run."""
    f = compiled(f)
    last = [None, None]

    def run():
        for p in wrt:
            p.grad = None
        y = f(*args)
        y.backward()
        last[0] = y
    return run, lambda: [last[0].detach().numpy()] + [p.grad.numpy() for p in wrt]


def chain(a):
    p = [torch.tensor(v, dtype=torch.float32, requires_grad=True) for v in a["params"]]
    x, = tensors([serve.numbers("f32", 1, a["n"], -1, 3)])
    return gradients(lambda a, b, c, x: (torch.tanh(a * x + b) * torch.sigmoid(c * x)).sum(), p, (*p, x))


def mlp_parts(a):
    ws = [w.requires_grad_() for w in tensors(serve.mlp_weights(a))]
    x, y = tensors(serve.mlp_data(a))
    return ws, x, y.long()


def mlp_loss(ws, x, y):
    h = x
    for l in range(3):
        h = torch.addmm(ws[2 * l + 1], h, ws[2 * l])
        if l < 2:
            h = torch.relu(h)
    return F.cross_entropy(h, y)


def mlp_step(f, ws, x, y, rate, last):
    for w in ws:
        w.grad = None
    v = f(ws, x, y)
    v.backward()
    with torch.no_grad():
        torch._foreach_add_(ws, [w.grad for w in ws], alpha=-rate)
    last[:] = [v]


def mlp(a):
    ws, x, y = mlp_parts(a)
    last = []
    f = compiled(mlp_loss)
    return ((lambda: mlp_step(f, ws, x, y, a["rate"], last)),
            lambda: serve.step_result(a, serve.mlp_weights(a), last[0].item(), [w.detach().numpy() for w in ws]))


def persample(a):
    ws, x, y = mlp_parts(a)
    ws = [w.detach() for w in ws]
    f = compiled(torch.func.vmap(torch.func.grad(lambda ws, x, y: mlp_loss(ws, x[None], y[None])), (None, 0, 0)))
    last = [None]

    def run():
        last[0] = f(ws, x, y)
    return no_grad(run) if COMPILE else run, lambda: last[0]


def block_loss(ws, x, y, heads):
    n1, m1, wqkv, bqkv, wo, bo, n2, m2, wu, bu, wd, bd = ws
    b, t, d = x.shape

    def split(z):
        return z.view(b, t, heads, d // heads).transpose(1, 2)
    q, k, v = (torch.matmul(F.layer_norm(x, (d,), n1, m1), wqkv) + bqkv).split(d, 2)
    mixed = F.scaled_dot_product_attention(split(q), split(k), split(v)).transpose(1, 2).reshape(b, t, d)
    x = x + torch.matmul(mixed, wo) + bo
    h = F.gelu(torch.matmul(F.layer_norm(x, (d,), n2, m2), wu) + bu)
    return F.mse_loss(x + torch.matmul(h, wd) + bd, y)


def transformer(a):
    ws = [w.requires_grad_() for w in tensors(serve.block_params(a))]
    x, y = tensors(serve.block_data(a))
    f, last = compiled(lambda ws, x, y: block_loss(ws, x, y, a["heads"])), []
    return ((lambda: mlp_step(f, ws, x, y, a["rate"], last)),
            lambda: serve.step_result(a, serve.block_params(a), last[0].item(), [w.detach().numpy() for w in ws]))


def price(s, k, r, v, t):
    sd = v * torch.sqrt(t)
    d1 = (torch.log(s / k) + (r + v * v / 2) * t) / sd

    def normal(x):
        return torch.erfc(-x * 0.5 ** 0.5) / 2
    return s * normal(d1) - k * torch.exp(-r * t) * normal(d1 - sd)


def greeks(a):
    x = [v.requires_grad_() for v in tensors(serve.arguments(a))]
    f = compiled(price)
    ones = torch.ones(a["n"], dtype=torch.float64)
    last = [None]

    def run():
        for v in x:
            v.grad = None
        last[0] = f(*x)
        last[0].backward(ones)
    return run, lambda: [last[0].detach().numpy()] + [v.grad.numpy() for v in x]


def sparse(a):
    u, = tensors(serve.arguments(a))
    seeds, color, row = tensors(serve.band(a["n"]))

    def f(u):
        p = F.pad(u, (1, 1))
        return (p[:-2] - 2 * u + p[2:]) * u + torch.exp(-u)
    entries = compiled(lambda u: torch.func.vmap(lambda t: torch.func.jvp(f, (u,), (t,))[1])(seeds)[color, row])
    last = [None]

    def run():
        last[0] = entries(u)
    return run, lambda: [last[0]]


def heston(a):
    """What is compiled is a step: its 252 copies in one graph take minutes."""
    p = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in a["params"]]
    z, = tensors([serve.normals(a)])
    dt, floor = a["years"] / a["steps"], a["floor"]

    def step(s, v, z, rate, speed, mean, vol, corr, across):
        w = v.clamp(min=floor)
        root = torch.sqrt(w * dt)
        return (s + (rate - 0.5 * w) * dt + root * z[0],
                v + speed * (mean - w) * dt + vol * root * (corr * z[0] + across * z[1]))
    step, last = compiled(step), [None]

    def run():
        for v in p:
            v.grad = None
        spot, strike, rate, first, speed, mean, vol, corr = p
        s, v = torch.log(spot).expand(a["paths"]), first.expand(a["paths"])
        across = torch.sqrt(1 - corr * corr)
        for t in range(a["steps"]):
            s, v = step(s, v, z[t], rate, speed, mean, vol, corr, across)
        y = torch.relu(torch.exp(s) - strike).mean() * torch.exp(-rate * a["years"])
        y.backward()
        last[0] = y
    return run, lambda: [last[0].detach().numpy()] + [v.grad.numpy() for v in p]


def compile(a):
    if not COMPILE:
        raise serve.Unsupported("has no such case")
    import torch._inductor.config
    torch.compile(lambda x: x + 1)(torch.ones(8))  # loads the compiler
    last = []
    if a["what"] == "mlp":
        ws, x, y = mlp_parts(a)

        def f(ws, x, y):
            return mlp_loss(ws, x, y)

        def once():
            for w, old in zip(ws, tensors(serve.mlp_weights(a))):
                w.data.copy_(old)
            mlp_step(torch.compile(f, dynamic=False), ws, x, y, a["rate"], last)
        result = lambda: serve.step_result(a, serve.mlp_weights(a), last[0].item(), [w.detach().numpy() for w in ws])
    else:
        x = tensors([serve.numbers("f32", 1, a["n"], -1, 1)])[0].requires_grad_()

        def f(x):
            for _ in range(a["ops"] // 4):
                x = torch.tanh(torch.sin(x) * 1.25 + 0.125)
            return x.sum()

        def once():
            x.grad = None
            last[:] = [torch.compile(f, dynamic=False)(x)]
            last[0].backward()
        result = lambda: [last[0].detach().numpy(), x.grad.numpy()]

    def run():
        torch._dynamo.reset()
        with torch._inductor.config.patch(force_disable_caches=True):
            once()
    return run, result


def pictures(x):
    """Channels last in memory, as the other sides have them, but for lines, where torch is slower so."""
    x = torch.from_numpy(x).movedim(-1, 1)
    return x.contiguous() if x.dim() == 3 else x


def filters(w):
    w = torch.from_numpy(w).movedim((-1, -2), (0, 1))
    return w.contiguous(memory_format={3: torch.contiguous_format, 4: torch.channels_last, 5: torch.channels_last_3d}[w.dim()])


def same(x, w, stride, groups):
    size, k = x.shape[2], w.shape[2]
    pad = max(0, ((size + stride - 1) // stride - 1) * stride + k - size)
    lo = pad // 2
    if pad - lo != lo:
        x, lo = F.pad(x, (lo, pad - lo) * (x.dim() - 2)), 0
    return getattr(F, f"conv{x.dim() - 2}d")(x, w, stride=stride, padding=lo, groups=groups)


def back(t):
    return t.detach().movedim(1, -1).contiguous().numpy()


def conv(a):
    x, w = serve.conv_data(a)
    x, w = pictures(x), filters(w)

    def y(x, w):
        if a["transposed"]:  # where no side has an element more
            return F.conv_transpose2d(x, w, stride=a["stride"], padding=(a["filter"] - a["stride"]) // 2)
        return same(x, w, a["stride"], a["groups"])
    if a["what"] == "forward":
        f, out = compiled(y), [None]

        def run():
            out[0] = f(x, w)
        return no_grad(run), lambda: [back(out[0])]
    x.requires_grad_()
    w.requires_grad_()
    run, _ = gradients(lambda x, w: (y(x, w) ** 2).sum() / 2, (x, w), (x, w))
    return run, lambda: [back(x.grad), w.grad.movedim((0, 1), (-1, -2)).contiguous().numpy()]


def pool(a):
    x = pictures(serve.pool_data(a))
    f = {"max": lambda x: F.max_pool2d(x, a["window"], a["stride"]), "mean": lambda x: F.avg_pool2d(x, a["window"], a["stride"]),
         "bilinear": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear")}[a["op"]]
    if a["what"] == "forward":
        f, out = compiled(f), [None]

        def run():
            out[0] = f(x)
        return no_grad(run), lambda: [back(out[0])]
    x.requires_grad_()
    run, _ = gradients(lambda x: (f(x) ** 2).sum() / 2, (x,), (x,))
    return run, lambda: [back(x.grad)]


def cnn(a):
    l, p, q = serve.cnn_weights()
    ws = [torch.from_numpy(l).requires_grad_(), filters(p).requires_grad_(), filters(q).requires_grad_()]
    x, y = serve.cnn_data(a)
    x, y = pictures(x), torch.from_numpy(y).long()

    def loss(ws, x, y):
        for w in ws[1:]:
            x = F.max_pool2d(torch.relu(F.conv2d(x, w, padding=1)), 2)
        return F.cross_entropy(x.permute(0, 2, 3, 1).reshape(len(x), -1) @ ws[0], y)
    f, last = compiled(loss), []
    return (lambda: mlp_step(f, ws, x, y, a["rate"], last),
            lambda: serve.step_result(a, serve.cnn_weights(), last[0].item(), [ws[0].detach().numpy()] + [w.detach().permute(2, 3, 1, 0).numpy() for w in ws[1:]]))


def scalar(a):
    x = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    return gradients(lambda x: x ** 3 + 2 * x, [x], (x,))


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


ORDER = {
    "sort": lambda x, axis: torch.sort(x, axis)[0], "topk": lambda x, axis: torch.topk(x, 10, axis)[0], "cumsum": torch.cumsum,
    "cumprod": lambda x, axis: torch.cumprod(1 + 0.001 * x, axis), "cummax": lambda x, axis: torch.cummax(x, axis)[0],
    "logcumsumexp": torch.logcumsumexp, "prod": lambda x, axis: (1 + 0.001 * x).prod(axis), "tril": lambda x, _: torch.tril(x),
    "reverse": lambda x, axis: torch.flip(x, [axis]), "any": lambda x, axis: (x > 2.9).any(axis).float(),
}


def feature(a):
    op, out = a["op"], [None]
    if "batch" in a:
        args = tensors([serve.definite_matrices(a)])
        f = {"cholesky": torch.linalg.cholesky, "inverse": torch.linalg.inv, "solve": lambda m: torch.linalg.solve(m, torch.tril(m)),
             "trisolve": lambda m: torch.linalg.solve_triangular(m, m, upper=False),
             "lstsq": lambda m: torch.linalg.lstsq(m[:, :, :a["n"] // 2], m, driver="gels").solution}[op]
    elif op in ORDER:
        args = tensors([serve.matrix(a)])
        f = lambda x, of=ORDER[op]: of(x, a["axis"])
        if a["grad"]:
            x = args[0].requires_grad_()
            run, _ = gradients(lambda x: (f(x) ** 2).sum() / 2, (x,), (x,))
            return run, lambda: [x.grad]
    elif op in ("segmentsum", "segmentsoftmax"):
        k = a["segments"]
        args = tensors([serve.numbers("f32", 1, a["n"], -1, 1), serve.labels(2, a["n"], k).astype("int64")])

        def sums(x, ids):
            return torch.zeros(k).index_add_(0, ids, x)

        def softmax(x, ids):
            top = torch.full((k,), float("-inf")).scatter_reduce_(0, ids, x, "amax")
            e = torch.exp(x - top[ids])
            return e / sums(e, ids)[ids]
        f = softmax if op == "segmentsoftmax" else sums
    elif op == "hvp":
        args = tensors(serve.arguments(a))
        f = lambda x, v: torch.func.jvp(torch.func.grad(rosenbrock), (x,), (v,))[1]
    elif op in ("permutation", "categorical", "dropout", "gammas", "poisson100", "poisson3", "binomial300", "binomial3"):
        args = tensors([serve.numbers(a["dtype"], 1, a["n"], 0, 4)])

        def binomial(n, p):
            return torch.binomial(torch.full_like(p, n), p)
        draw = {"permutation": lambda x: torch.randperm(a["n"]), "dropout": lambda x: F.dropout(x, a["rate"]),
                "gammas": lambda x: torch._standard_gamma(x + 0.5),
                "poisson100": lambda x: torch.poisson(x + 98), "poisson3": lambda x: torch.poisson(x + 1),
                "binomial300": lambda x: binomial(1000, 0.01 * x + 0.28), "binomial3": lambda x: binomial(10, 0.1 * x + 0.1),
                "categorical": lambda x: torch.multinomial(torch.softmax(x.view(-1, a["classes"]), 1), 1)}[op]

        def f(x):
            y = draw(x)
            return y.mean(dtype=torch.float64), y
    else:
        raise serve.Unsupported("has other random numbers")
    f = compiled(f)

    def run():
        out[0] = f(*args)
    return (run if op == "hvp" else no_grad(run)), lambda: [y.numpy() for y in (out[0] if isinstance(out[0], tuple) else out)]


def move(a):
    """Results lie in order. A gradient alone is timed: eager has recorded the function before, and torch.compile drops its results."""
    op = a["op"]
    if op.startswith("slice"):
        down, right = (int(s) for s in op[5:].split("x"))
        f = lambda x, y: [x[::down, ::right]]
    elif op.startswith("transpose"):
        perm = [int(s) for s in op[9:].split("/")[0]]
        dims = [a["results"][0][perm.index(i)] for i in range(len(perm))]
        f = lambda x, y: [x.view(dims).permute(perm)]
    elif op.startswith("reverse"):
        f = lambda x, y: [torch.flip(x, [int(s) for s in op[7:]])]
    else:
        f = {"stack": lambda x, y: [torch.stack([x, y], 2)], "concat": lambda x, y: [torch.cat([x, y], 1)],
             "stack3": lambda x, y: [torch.stack(x.chunk(4)[:3], 2)], "stack4": lambda x, y: [torch.stack(x.chunk(4), 2)],
             "split": lambda x, y: list(x.chunk(4, 1)), "roll": lambda x, y: [torch.roll(x, 3, 1)], "pad": lambda x, y: [F.pad(x, (1, 1, 1, 1))],
             "reflect": lambda x, y: [F.pad(x[None], (2, 2), mode="reflect")[0]], "edge": lambda x, y: [F.pad(x[None], (2, 2), mode="replicate")[0]],
             "tile": lambda x, y: [x.tile(2, 2)], "repeat": lambda x, y: [x.repeat_interleave(2, 1)], "diagonal": lambda x, y: [x.diagonal()],
             "diagonals": lambda x, y: [x.view(100, 100, 100).diagonal(dim1=1, dim2=2)],
             "mask": lambda x, y: [torch.where(y > 1, x, 0)], "where": lambda x, y: [torch.where(x > y, x, y)]}[op]
    x, y, cots = serve.moved(a)
    x, y, cots, out = torch.from_numpy(x), torch.from_numpy(y), tensors(cots), []
    if not a["grad"]:
        f = compiled(lambda x, y, f=f: [z.contiguous() for z in f(x, y)])

        def run():
            out[:] = f(x, y)
        return no_grad(run), lambda: [z.numpy() for z in out]
    wrt = [x, y] if a["both"] else [x]
    if COMPILE:
        def pulled(x, y, cots):
            _, pull = torch.func.vjp(f, x, y) if a["both"] else torch.func.vjp(lambda x: f(x, y), x)
            return [z.contiguous() for z in pull(cots)]
        pulled = compiled(pulled)

        def run():
            out[:] = pulled(x, y, cots)
    else:
        for z in wrt:
            z.requires_grad_()
        results = f(x, y)

        def run():
            out[:] = [z.contiguous() for z in torch.autograd.grad(results, wrt, cots, retain_graph=True)]
    return run, lambda: [z.numpy() for z in out]


def distinct(values, inverse, counts):
    return values, counts, inverse


INDEX = {
    "takerows": lambda d: d.x.index_select(0, d.ids), "takecolumns": lambda d: d.x.index_select(1, d.ids),
    "take": lambda d: d.x.view(-1).index_select(0, d.far),
    "takealong": lambda d: torch.gather(d.x, 1, d.all), "takealongfirst": lambda d: torch.gather(d.x, 0, d.all),
    "sort": lambda d: torch.sort(d.x, 1)[0], "topk": lambda d: torch.topk(d.x, 10, 1)[0],
    "embedding": lambda d: F.embedding(d.words, d.x.view(10 * len(d.x), -1)), "scatteraddrows": lambda d: d.x.index_add(0, d.ids, d.u),
    "scatteraddcolumns": lambda d: d.x.index_add(1, d.ids, d.u), "scatteradd": lambda d: d.x.view(-1).scatter_add(0, d.far, d.u.view(-1)),
    "bincount": lambda d: torch.bincount(d.all.view(-1), minlength=len(d.x)), "searchsorted": lambda d: torch.searchsorted(d.line, d.x),
    "bucketize": lambda d: torch.bucketize(d.x, d.edges), "histogram": lambda d: torch.histogram(d.x, d.edges)[0],
    "unique": lambda d: distinct(*torch.unique(d.all.to(d.x.dtype), return_inverse=True, return_counts=True)),
}


def index(a):
    f, data, out = INDEX[a["op"]], serve.indexed(a), [None]
    data = serve.Indexed(*(y.long() if y.dtype == torch.int32 else y for y in tensors(data)))
    if a["grad"]:
        data.x.requires_grad_()
        run, _ = gradients(lambda d: (f(d) ** 2).sum() / 2, (data.x,), (data,))
        return run, lambda: [data.x.grad]
    f = compiled(f)

    def run():
        out[0] = f(data)
    return no_grad(run), lambda: [y.numpy() for y in (out[0] if isinstance(out[0], tuple) else (out[0],))]


def graded(loss):
    """The loss and its gradients."""
    def f(*xs):
        xs = [x.detach().requires_grad_() for x in xs]
        y = loss(*xs)
        return y.detach(), *torch.autograd.grad(y, xs)
    return f


def lstm(a):
    """The module; torch.compile has a step of the cell, because all of them in one graph take minutes."""
    *ws, xs = tensors(serve.transform_data(a))
    width, out = a["width"], [None]
    if COMPILE:
        def step(h, c, x, wx, wh, b):
            i, f, g, o = (x @ wx + h @ wh + b).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            return torch.sigmoid(o) * torch.tanh(c), c
        step = compiled(step)
        ws = [w.requires_grad_() for w in ws]

        def last():
            h = c = torch.zeros_like(xs[0])
            for x in xs.unbind():
                h, c = step(h, c, x, *ws)
            return h
    else:
        cell = torch.nn.LSTM(width, width)
        with torch.no_grad():
            for name, w in zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"), ws):
                getattr(cell, name).copy_(w.T)
            cell.bias_hh_l0.zero_()
        ws = [cell.weight_ih_l0, cell.weight_hh_l0, cell.bias_ih_l0]
        cell.bias_hh_l0.requires_grad_(False)

        def last():
            return cell(xs)[1][0][0]

    def run():
        h = last()
        y = (h * h).sum()
        out[0] = y.detach(), *torch.autograd.grad(y, ws)

    def result():
        return [g.numpy() if COMPILE else g.numpy().T for g in out[0]]
    return run, result


def transform(a):
    op, out = a["op"], [None]
    if op == "lstm":
        return lstm(a)
    args = tensors(serve.transform_data(a))
    values = op in ("fft", "eager") or "batch" in a
    if op == "fft":
        f = torch.fft.fft
    elif op == "svd":
        def f(m):
            u, s, vt = torch.linalg.svd(m, full_matrices=False)
            return s, u, vt
    elif op == "eigh":
        f = torch.linalg.eigh
    elif op == "qr":
        def f(m):
            q, r = torch.linalg.qr(m)
            return r.abs(), q
    elif op == "lu":
        f = lambda m: torch.linalg.lu(m)[::-1]
    elif op == "logdet":
        f = lambda m: torch.linalg.slogdet(m)[::-1]
    elif "batch" in a:
        f = {"det": torch.linalg.det, "expm": torch.linalg.matrix_exp}[op]
    elif op == "scan":
        def loss(w, xs):
            h = torch.zeros_like(xs[0])
            for x in xs.unbind():
                h = torch.tanh(h @ w + x)
            return (h * h).sum()

        def f(w, xs):
            w = w.detach().requires_grad_()
            y = loss(w, xs)
            return y.detach(), *torch.autograd.grad(y, [w])
    elif op == "jacobian":
        f = lambda v, w, x, _: torch.func.jacrev(lambda x: torch.tanh(w @ torch.tanh(v @ x)))(x)
    elif op == "linearize":
        v, w, x, t = args
        _, f = torch.func.linearize(lambda x: torch.tanh(w @ torch.tanh(v @ x)), x)
        args = [t]
    elif op == "gnvp":
        def f(v, w, x, t):
            layers = lambda x: torch.tanh(w @ torch.tanh(v @ x))
            y, tangent = torch.func.jvp(layers, (x,), (t,))
            cotangent = torch.func.jvp(torch.func.grad(lambda y: (y ** 4).sum()), (y,), (tangent,))[1]
            return torch.func.vjp(layers, x)[1](cotangent)[0]
    elif op == "hessiandiag":
        def f(x, seeds):
            return torch.func.vmap(lambda s: s * torch.func.jvp(torch.func.grad(rosenbrock), (x,), (s,))[1])(seeds).sum(0)
    elif op == "eager":
        def f(x):
            read = []
            for _ in range(a["steps"]):
                x = x - 0.01 * torch.sin(x)
                read.append((x * x).sum().item())
            return torch.tensor(read, dtype=torch.float64)
    elif op == "hessian":
        f = torch.func.hessian(rosenbrock)
    elif op == "jvp":
        f = lambda x, t: torch.func.jvp(lambda x: torch.tanh(torch.sin(x) * x), (x,), (t,))
    elif op == "solve":
        def f(m, b):
            return graded(lambda m, b: (torch.linalg.solve(m, b) ** 2).sum())(m, b)[1:]
    elif op == "checkpoint":
        def piece(w, x):
            for _ in range(a["every"]):
                x = torch.tanh(x @ w)
            return x

        def deep(w, x):
            for _ in range(a["layers"] // a["every"]):
                x = torch.utils.checkpoint.checkpoint(piece, w, x, use_reentrant=False)
            return (x * x).sum()
        f = graded(deep)
    else:
        raise serve.Unsupported("has no such transform")
    if "batch" in a and a["what"] == "grad":
        y, values = f, False

        def first(m):
            z = y(m)
            return (z if isinstance(z, torch.Tensor) else z[0]).sum()
        f = lambda m: graded(first)(m)[1]
    f = compiled(f)

    def run():
        out[0] = f(*args)

    def result():
        ys = [out[0]] if isinstance(out[0], torch.Tensor) else list(out[0])
        if op == "fft":
            ys = [ys[0].real, ys[0].imag]
        return [y.numpy() for y in ys]
    return (no_grad(run) if values else run), result


serve.serve("torch.compile" if COMPILE else "torch", torch.__version__, {
    "gemm": gemm, "pointwise": pointwise, "reduce": reduce, "chain": chain, "mlp": mlp, "persample": persample,
    "transformer": transformer, "greeks": greeks, "heston": heston, "sparse": sparse, "compile": compile, "scalar": scalar,
    "conv": conv, "pool": pool, "cnn": cnn, "feature": feature, "move": move, "index": index, "transform": transform})
