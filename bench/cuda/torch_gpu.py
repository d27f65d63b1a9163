"""The cases of bench/cuda in PyTorch on its first GPU, eager and compiled: python3 torch_gpu.py [cpu]

With cpu they run there, tiny and eager, to see that they work."""
import math
import sys
import time

import numpy as np
import torch

torch.backends.cuda.matmul.allow_tf32 = False
dev = (sys.argv + ["cuda"])[1]
quick = dev == "cpu"


def array(*dims, dtype=torch.float32):
    n = math.prod(dims)
    return torch.from_numpy(((np.arange(n, dtype=np.int64) * 7919) % 1000 / 500 - 1).astype(np.float32).reshape(dims)).to(dev, dtype)


def chain(x):
    y = x
    for _ in range(8):
        y = y * x + 0.5
    return y


def mlp(batch, half=None):
    batch = 5 if quick else batch
    sizes = [784, 512, 256, 10]
    ws = [(array(sizes[l], sizes[l + 1]) / math.sqrt(sizes[l])).requires_grad_() for l in range(3)]
    bs = [torch.zeros(sizes[l + 1], device=dev, requires_grad=True) for l in range(3)]
    x, y = array(batch, 784), torch.arange(batch, device=dev) % 10

    def loss():
        h = x
        for i in range(3):
            h = h @ ws[i] + bs[i]
            if i < 2:
                h = h.relu()
        return torch.nn.functional.cross_entropy(h, y)

    return step_of(loss, ws + bs, 0.01, half)


def step_of(loss, params, rate, half):
    """A step of training; of float16s, the loss is scaled and a step whose gradients are not finite is none."""
    scale = 65536.0

    def mixed():
        with torch.autocast(dev, dtype=half, enabled=half is not None):
            return loss()

    def wrap(f):
        def step():
            value = f()
            grads = torch.autograd.grad(value * scale if half == torch.float16 else value, params)
            with torch.no_grad():
                if half != torch.float16:
                    for p, g in zip(params, grads):
                        p -= rate * g
                    return value
                good = torch.stack([g.isfinite().all() for g in grads]).all()
                for p, g in zip(params, grads):
                    p.copy_(torch.where(good, p - rate / scale * g, p))
            return value
        return step
    return mixed, wrap, 1, "steps/s"


def transformer(batch, half=None, tokens=128, dim=256, heads=4):
    if quick:
        batch, tokens, dim, heads = 2, 3, 8, 2
    shapes = [(dim, 3 * dim), (dim, dim), (dim, 4 * dim), (4 * dim, dim)]
    ws = [(array(*s) / math.sqrt(s[0])).requires_grad_() for s in shapes]
    bs = [torch.zeros(s[1], device=dev, requires_grad=True) for s in shapes]
    gains = [torch.ones(dim, device=dev, requires_grad=True) for _ in range(2)]
    shifts = [torch.zeros(dim, device=dev, requires_grad=True) for _ in range(2)]
    x = array(batch, tokens, dim)
    y = -x

    def loss():
        f = torch.nn.functional
        norm = lambda i, x: f.layer_norm(x, (dim,), gains[i], shifts[i])
        linear = lambda i, x: x @ ws[i] + bs[i]
        q, k, v = linear(0, norm(0, x)).reshape(batch, tokens, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
        mixed = f.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, dim)
        h = x + linear(1, mixed)
        h = h + linear(3, f.gelu(linear(2, norm(1, h))))
        return (h - y).square().mean()

    return step_of(loss, gains + shifts + ws + bs, 0.5, half)


def small(x):
    for _ in range(2 if quick else 1000):
        x = torch.tanh(x + x.sum(0) * 1e-3)
    return x


def plain(f, units, unit):
    return f, lambda g: g, units, unit


def cases():
    n = 3 * 1024 if quick else 1 << 26
    size = 33 if quick else 8192
    yield "mlp step, batch 256", lambda: mlp(256)
    yield "mlp step, batch 16384", lambda: mlp(16384)
    yield "mlp step, batch 16384, bf16", lambda: mlp(16384, torch.bfloat16)
    yield "mlp step, batch 16384, f16", lambda: mlp(16384, torch.float16)
    yield "transformer step, batch 8", lambda: transformer(8)
    yield "transformer step, batch 64", lambda: transformer(64)
    yield "transformer step, batch 64, bf16", lambda: transformer(64, torch.bfloat16)
    yield "transformer step, batch 64, f16", lambda: transformer(64, torch.float16)
    x = array(n)
    yield "copy f32", lambda: plain(lambda: x.clone(), 8e-9 * n, "GB/s")
    yield "negation f32", lambda: plain(lambda: -x, 8e-9 * n, "GB/s")
    yield "chain of 16, f32", lambda: plain(lambda: chain(x), 8e-9 * n, "GB/s")
    r = x.reshape(-1, 1024)
    yield "softmax of rows of 1024, f32", lambda: plain(lambda: r.softmax(-1), 8e-9 * n, "GB/s")
    yield "layer norm of rows of 1024, f32", lambda: plain(lambda: torch.nn.functional.layer_norm(r, (1024,)), 8e-9 * n, "GB/s")
    yield "sum of columns, f32", lambda: plain(lambda: r.sum(0), 4e-9 * n, "GB/s")
    for name, t in ("f32", torch.float32), ("f64", torch.float64), ("bf16", torch.bfloat16), ("f16", torch.float16):
        a, b = array(size, size, dtype=t), array(size, size, dtype=t)
        yield "product " + name, lambda a=a, b=b: plain(lambda: a @ b, 2e-12 * size ** 3, "TFLOP/s")
    c = array(128, 256)
    yield "1000 steps of 2 small kernels", lambda: plain(lambda: small(c), 2000, "kernels/s")


synchronize = (lambda: None) if quick else torch.cuda.synchronize
print(torch.__version__, "CPU" if quick else torch.cuda.get_device_name())
for name, make in cases():
    for how in ("eager",) if quick or name.startswith("1000") else ("eager", "compiled"):  # else 3000 operations are compiled
        f, wrap, units, unit = make()
        step = wrap(torch.compile(f) if how == "compiled" else f)
        value = step()  # the first one's, as in bench/cuda
        for _ in range(4):
            step()
        synchronize()
        times, total = [], 0
        while len(times) < 5 or total < 1 and len(times) < 1000 and not quick:
            begin = time.perf_counter()
            step()
            synchronize()
            times.append(time.perf_counter() - begin)
            total += times[-1]
        median = sorted(times)[len(times) // 2]
        print(f"{name:32} torch {how:9} {1e3 * median:10.4f} ms {units / median:10.4g} {unit}  {value.flatten()[0].item():.6g}")
