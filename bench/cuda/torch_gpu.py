"""The cases of bench/cuda in PyTorch on its first GPU, eager and compiled: python3 torch_gpu.py"""
import math
import time

import numpy as np
import torch

torch.backends.cuda.matmul.allow_tf32 = False
dev = "cuda"


def array(*dims, dtype=torch.float32):
    n = math.prod(dims)
    return torch.from_numpy(((np.arange(n, dtype=np.int64) * 7919) % 1000 / 500 - 1).astype(np.float32).reshape(dims)).to(dev, dtype)


def chain(x):
    y = x
    for _ in range(8):
        y = y * x + 0.5
    return y


def mlp(batch):
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

    def wrap(f):
        def step():
            value = f()
            grads = torch.autograd.grad(value, ws + bs)
            with torch.no_grad():
                for p, g in zip(ws + bs, grads):
                    p -= 0.01 * g
            return value
        return step
    return loss, wrap, 1, "steps/s"


def plain(f, units, unit):
    return f, lambda g: g, units, unit


def cases():
    n = 1 << 26
    yield "mlp step, batch 256", lambda: mlp(256)
    yield "mlp step, batch 16384", lambda: mlp(16384)
    x = array(n)
    yield "copy f32", lambda: plain(lambda: -x, 8e-9 * n, "GB/s")
    yield "chain of 16, f32", lambda: plain(lambda: chain(x), 8e-9 * n, "GB/s")
    r = x.reshape(1 << 16, 1024)
    yield "softmax of rows of 1024, f32", lambda: plain(lambda: r.softmax(-1), 8e-9 * n, "GB/s")
    yield "sum of columns, f32", lambda: plain(lambda: r.sum(0), 4e-9 * n, "GB/s")
    for name, t in ("f32", torch.float32), ("f64", torch.float64):
        a, b = array(8192, 8192, dtype=t), array(8192, 8192, dtype=t)
        yield "product " + name, lambda a=a, b=b: plain(lambda: a @ b, 2e-12 * 8192 ** 3, "TFLOP/s")


print(torch.__version__, torch.cuda.get_device_name())
for name, make in cases():
    for how in "eager", "compiled":
        f, wrap, units, unit = make()
        step = wrap(torch.compile(f) if how == "compiled" else f)
        for _ in range(5):
            value = step()
        torch.cuda.synchronize()
        times, total = [], 0
        while len(times) < 5 or total < 1 and len(times) < 1000:
            begin = time.perf_counter()
            step()
            torch.cuda.synchronize()
            times.append(time.perf_counter() - begin)
            total += times[-1]
        median = sorted(times)[len(times) // 2]
        print(f"{name:32} torch {how:9} {1e3 * median:10.4f} ms {units / median:10.4g} {unit}  {value.flatten()[0].item():.6g}")
