"""Times adjoint's GradBench tool beside other tools of a checkout, on sizes of GradBench's own, small and large.

gradbench.py DIR TOOL…: DIR/adjoint is ours, DIR/tools/TOOL/bin/EVAL a peer in C++, jax and pytorch are peers in
Python. Every round runs all of them once, each for SECONDS_EACH (0.2); a figure is the shortest run of ROUNDS (3)
rounds. A peer that takes longer than CAP (20) seconds is given up, one that is 20 times slower than the best and takes
seconds is not run again. ONLY is a regular expression of cases, SMALL=1 leaves out the largest sizes.
"""
import json
import math
import os
import random
import re
import select
import subprocess
import sys
import tempfile
import time

TOOLS = sys.argv[2:]
DIR = os.path.abspath(sys.argv[1])
SECONDS = float(os.environ.get("SECONDS_EACH", "0.2"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CAP = float(os.environ.get("CAP", "20"))
ONLY = re.compile(os.environ.get("ONLY", ""))
SMALL = os.environ.get("SMALL") == "1"


def rows(r, n, d, draw=None):
    draw = draw or r.random
    return [[draw() for _ in range(d)] for _ in range(n)]


def normal(r):
    return lambda: r.gauss(0, 1)


def gmm(r, d, k, n):
    return {"d": d, "k": k, "n": n, "x": rows(r, n, d, normal(r)), "m": 0, "gamma": 1.0,
            "alpha": rows(r, 1, k, normal(r))[0], "mu": rows(r, k, d), "q": rows(r, k, d, normal(r)),
            "l": rows(r, k, d * (d - 1) // 2, normal(r))}


def kmeans(r, k, n, d):
    points = rows(r, n, d)
    return {"points": points, "centroids": points[-k:]}


def lstm(r, l, c):
    return {"main_params": rows(r, 2 * l, 56), "extra_params": rows(r, 3, 14), "state": rows(r, 2 * l, 14),
            "sequence": rows(r, c, 14, lambda: float(r.randrange(2)))}


def ba(name):
    with open(os.path.join(DIR, "evals/ba/data", name)) as f:
        n, m, p = map(int, f.readline().split())
        cam, x, w, feat = [[float(v) for v in f.readline().split()] for _ in range(4)]
    return {"n": n, "m": m, "p": p, "cam": cam, "x": x, "w": w[0], "feat": feat}


def ht(kind, name):
    """The eval's reading of ADBench's files: bones, vertices and triangles, then the measured points."""
    at = os.path.join(DIR, "evals/ht/data", kind)

    def table(file):
        with open(os.path.join(at, "model", file)) as f:
            return [line.strip().split(":") for line in f if line.strip()]

    bones, vertices, triangles = table("bones.txt"), table("vertices.txt"), table("triangles.txt")

    def matrix(v):
        v = [float(x) for x in v]
        return [v[4 * i:4 * i + 4] for i in range(4)]

    weights = []
    for v in vertices:
        w = [0.0] * len(bones)
        for i in range(int(v[8])):
            w[int(v[9 + 2 * i])] = float(v[10 + 2 * i])
        weights.append(w)
    with open(os.path.join(at, name)) as f:
        n, thetas = map(int, f.readline().split())
        points = [f.readline().split() for _ in range(n)]
        us = [[float(x) for x in f.readline().split()] for _ in range(n)] if kind.startswith("complicated") else []
        theta = [float(f.readline()) for _ in range(thetas)]
    return {"theta": theta, "us": us, "data": {
        "correspondences": [int(p[0]) for p in points], "points": [[float(x) for x in p[1:]] for p in points],
        "model": {"bone_count": len(bones), "bone_names": [b[0] for b in bones], "parents": [int(b[1]) for b in bones],
                  "base_relatives": [matrix(b[2:18]) for b in bones],
                  "inverse_base_absolutes": [matrix(b[18:34]) for b in bones],
                  "base_positions": [[float(x) for x in v[:3]] + [1.0] for v in vertices], "weights": weights,
                  "triangles": [[int(x) for x in t] for t in triangles], "is_mirrored": False}}}


def vector(r, n):
    return [r.random() for _ in range(n)]


# eval, size, input, functions; the largest of the eval's own sizes have a star
CASES = [
    ("gmm", "d2 k5 n1000", lambda r: gmm(r, 2, 5, 1000), "objective jacobian"),
    ("gmm", "d10 k25 n1000", lambda r: gmm(r, 10, 25, 1000), "objective jacobian"),
    ("gmm", "d64 k50 n1000", lambda r: gmm(r, 64, 50, 1000), "objective jacobian"),
    ("gmm", "d64 k100 n1000*", lambda r: gmm(r, 64, 100, 1000), "objective jacobian"),
    ("ba", "ba1", lambda r: ba("ba1_n49_m7776_p31843.txt"), "objective jacobian"),
    ("ba", "ba4", lambda r: ba("ba4_n372_m47423_p204472.txt"), "objective jacobian"),
    ("ba", "ba14*", lambda r: ba("ba14_n356_m226730_p1255268.txt"), "objective jacobian"),
    ("det", "5", lambda r: {"A": vector(r, 25), "ell": 5}, "primal gradient"),
    ("det", "6", lambda r: {"A": vector(r, 36), "ell": 6}, "primal gradient"),
    ("det", "9", lambda r: {"A": vector(r, 81), "ell": 9}, "primal gradient"),
    ("det", "10*", lambda r: {"A": vector(r, 100), "ell": 10}, "primal gradient"),
    ("kmeans", "k10 n1000 d8", lambda r: kmeans(r, 10, 1000, 8), "cost dir"),
    ("kmeans", "k100 n10000 d16", lambda r: kmeans(r, 100, 10000, 16), "cost dir"),
    ("kmeans", "k1000 n10000 d16*", lambda r: kmeans(r, 1000, 10000, 16), "cost dir"),
    ("llsq", "n16 m128", lambda r: {"x": vector(r, 128), "n": 16}, "primal gradient"),
    ("llsq", "n256 m128", lambda r: {"x": vector(r, 128), "n": 256}, "primal gradient"),
    ("llsq", "n4096 m128", lambda r: {"x": vector(r, 128), "n": 4096}, "primal gradient"),
    ("llsq", "n16392 m128*", lambda r: {"x": vector(r, 128), "n": 16392}, "primal gradient"),
    ("lse", "n2500", lambda r: {"x": vector(r, 2500)}, "primal gradient"),
    ("lse", "n10000", lambda r: {"x": vector(r, 10000)}, "primal gradient"),
    ("lse", "n640000", lambda r: {"x": vector(r, 640000)}, "primal gradient"),
    ("lse", "n1280000*", lambda r: {"x": vector(r, 1280000)}, "primal gradient"),
    ("ode", "n1000 s10", lambda r: {"x": vector(r, 1000), "s": 10}, "primal gradient"),
    ("ode", "n10000 s100", lambda r: {"x": vector(r, 10000), "s": 100}, "primal gradient"),
    ("ode", "n100000 s100*", lambda r: {"x": vector(r, 100000), "s": 100}, "primal gradient"),
    ("ht", "simple small 2", lambda r: ht("simple_small", "hand2_t26_c192.txt"), "objective jacobian"),
    ("ht", "complicated small 1", lambda r: ht("complicated_small", "hand1_t26_c100.txt"), "objective jacobian"),
    ("ht", "complicated big 5", lambda r: ht("complicated_big", "hand5_t26_c800.txt"), "objective jacobian"),
    ("ht", "complicated big 11*", lambda r: ht("complicated_big", "hand11_t26_c51200.txt"), "objective jacobian"),
    ("lstm", "l2 c1024", lambda r: lstm(r, 2, 1024), "objective jacobian"),
    ("lstm", "l4 c4096", lambda r: lstm(r, 4, 4096), "objective jacobian"),
    ("lstm", "l6 c8192*", lambda r: lstm(r, 6, 8192), "objective jacobian"),
    ("saddle", "", lambda r: {"start": [1.0, 1.0]}, "ff fr rf rr"),
    ("particle", "", lambda r: {"w": 0.0}, "ff fr rf rr"),
]


def time_ours(name, file, threads):
    p = subprocess.run([os.path.join(DIR, "adjoint"), "-threads", str(threads), "-eval", name, "-seconds", str(SECONDS),
                        "-file", file], capture_output=True, text=True)
    if p.returncode:
        raise RuntimeError(p.stderr)
    return int(re.search(r", (\d+) ns the shortest", p.stderr)[1]), json.loads(p.stdout)


class Missing(Exception):
    """Why a peer has no figure."""


def shortest(timings):
    return min(t["nanoseconds"] for t in timings if t["name"] == "evaluate")


def time_cpp(tool, eval_, function, file):
    program = os.path.join(DIR, "tools", tool, "bin", eval_)
    if not os.path.exists(program):
        raise Missing("–")
    try:
        p = subprocess.run([program, file, function], cwd=DIR, capture_output=True, text=True, timeout=CAP)
    except subprocess.TimeoutExpired:
        raise Missing(f">{CAP:.0f} s")
    lines = p.stdout.splitlines()
    if p.returncode or not lines:
        raise Missing("fails")
    return shortest([json.loads(line) for line in lines[1:]]), json.loads(lines[0])


# GradBench's tool in JAX does not wait for results: what it times is the call, not what that computes. Here it waits.
WAITING = ["-c", """
import os, runpy, sys, jax
from gradbench import wrap
runs = wrap.multiple_runs
wrap.multiple_runs = lambda **args: lambda f: runs(**args)(lambda x: jax.block_until_ready(f(x)))
del sys.argv[0]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""]


class Python:
    """A tool that speaks GradBench's protocol, started once and again after it was given up."""

    def __init__(self, tool):
        self.tool, self.process, self.modules = tool, None, {}

    def ask(self, message, patience):
        if self.process is None:
            env = dict(os.environ, PYTHONPATH=os.path.join(DIR, "python", "gradbench"), JAX_PLATFORMS="cpu", CUDA_VISIBLE_DEVICES="",
                       OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
            run = os.path.join(DIR, "python/gradbench/gradbench/tools", self.tool, "run.py")
            self.process = subprocess.Popen([os.environ.get("PYTHON", sys.executable)] + (WAITING if self.tool == "jax" else []) + [run], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
            self.modules = {}
        self.process.stdin.write(json.dumps({"id": 0} | message).encode() + b"\n")
        self.process.stdin.flush()
        line, end = b"", time.monotonic() + patience
        while not line.endswith(b"\n"):
            if not select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                self.stop()
                raise Missing(f">{patience:.0f} s")
            part = os.read(self.process.stdout.fileno(), 1 << 20)
            if not part:
                self.stop()
                raise Missing("fails")
            line += part
        return json.loads(line)

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def time(self, eval_, function, file):
        if self.modules.get(eval_) is None:
            self.modules[eval_] = self.ask({"kind": "define", "module": eval_}, 120)["success"]
        if not self.modules[eval_]:
            raise Missing("–")
        with open(file) as f:
            data = json.load(f) | {"min_runs": 3}  # the first of which may compile
        answer = self.ask({"kind": "evaluate", "module": eval_, "function": function, "input": data}, 3 * CAP)
        if not answer.get("success", True):
            raise Missing("fails")
        return shortest(answer["timings"]), answer["output"]


PYTHON = {t: Python(t) for t in ("jax", "pytorch")}


def time_peer(tool, eval_, function, file):
    if tool in PYTHON:
        return PYTHON[tool].time(eval_, function, file)
    return time_cpp(tool, eval_, function, file)


def numbers(v):
    if isinstance(v, dict):
        return [x for k in sorted(v) for x in numbers(v[k])]
    if isinstance(v, list):
        return [x for y in v for x in numbers(y)]
    return [v]


def distance(a, b):
    a, b = numbers(a), numbers(b)
    if len(a) != len(b):
        return math.inf
    return max(abs(x - y) / max(1, abs(x) + abs(y)) for x, y in zip(a, b))  # GradBench's own


def measure(eval_, function, file):
    """Our times with 1 and 2 threads, the peers' times or why there are none, the largest difference."""
    ours, peers, worst = [math.inf, math.inf], {}, 0.0
    for round_ in range(ROUNDS):
        for i in range(2):
            t, y = time_ours(f"{eval_}/{function}", file, i + 1)
            ours[i] = min(ours[i], t)
        best = min([t for t in peers.values() if not isinstance(t, str)], default=math.inf)
        for tool in TOOLS:
            old = peers.get(tool, math.inf)
            if isinstance(old, str) or round_ > 0 and old > max(1e9, 20 * best):
                continue
            try:
                if tool == "finite" and eval_ not in ("particle", "saddle"):
                    raise Missing("–")  # minutes, one difference a parameter
                t, z = time_peer(tool, eval_, function, file)
            except Missing as e:
                peers[tool] = str(e)
                continue
            peers[tool] = min(old, t)
            if tool != "finite":
                d = distance(y, z)
                worst = max(worst, d)
                if d > 1e-4:
                    peers[tool] = "wrong"
    return ours, peers, worst


def main():
    begin = time.monotonic()
    print("| eval | size | function | adjoint µs | 2 threads | " + " | ".join(TOOLS) + " | ratio to the best | largest difference |")
    print("|" + "---|" * (len(TOOLS) + 7))
    for eval_, size, make, functions in CASES:
        for function in functions.split():
            if not ONLY.search(f"{eval_}/{function}/{size}") or SMALL and size.endswith("*"):
                continue
            data = make(random.Random(31337))
            with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
                json.dump(data | {"min_runs": 1, "min_seconds": SECONDS}, f)
                f.flush()
                ours, peers, worst = measure(eval_, function, f.name)
            times = [t for t in peers.values() if not isinstance(t, str)]
            cells = [peers[t] if isinstance(peers[t], str) else f"{peers[t] / 1e3:.1f}" for t in TOOLS]
            end = [f"{min(times) / ours[0]:.2f}", f"{worst:.0e}"] if times else ["–", "–"]
            print("| " + " | ".join([eval_, size, function, f"{ours[0] / 1e3:.1f}", f"{ours[1] / 1e3:.1f}"] + cells + end) + " |", flush=True)
    for p in PYTHON.values():
        p.stop()
    print(f"gradbench: {(time.monotonic() - begin) / 60:.0f} minutes", file=sys.stderr)


main()
