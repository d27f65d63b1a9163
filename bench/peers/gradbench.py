"""Times adjoint's GradBench tool beside the C++ tools of a checkout, on sizes of GradBench's own.

gradbench.py DIR TOOL…: DIR/adjoint is ours, DIR/tools/TOOL/bin/EVAL a peer. Every round runs all of them once, each
for SECONDS (0.3); a figure is the shortest run of ROUNDS (3) rounds. ONLY is a regular expression of cases.
"""
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile

TOOLS = sys.argv[2:]
DIR = sys.argv[1]
SECONDS = float(os.environ.get("SECONDS_EACH", "0.3"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
ONLY = re.compile(os.environ.get("ONLY", ""))


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


# eval, size, input, functions
CASES = [
    ("gmm", "d2 k5 n1000", lambda r: gmm(r, 2, 5, 1000), "objective jacobian"),
    ("gmm", "d10 k25 n1000", lambda r: gmm(r, 10, 25, 1000), "objective jacobian"),
    ("gmm", "d64 k50 n1000", lambda r: gmm(r, 64, 50, 1000), "objective jacobian"),
    ("ba", "ba1", lambda r: ba("ba1_n49_m7776_p31843.txt"), "objective jacobian"),
    ("ba", "ba4", lambda r: ba("ba4_n372_m47423_p204472.txt"), "objective jacobian"),
    ("det", "5", lambda r: {"A": vector(r, 25), "ell": 5}, "primal gradient"),
    ("det", "6", lambda r: {"A": vector(r, 36), "ell": 6}, "primal gradient"),
    ("det", "9", lambda r: {"A": vector(r, 81), "ell": 9}, "primal gradient"),
    ("kmeans", "k10 n1000 d8", lambda r: kmeans(r, 10, 1000, 8), "cost dir"),
    ("kmeans", "k100 n10000 d16", lambda r: kmeans(r, 100, 10000, 16), "cost dir"),
    ("llsq", "n16 m128", lambda r: {"x": vector(r, 128), "n": 16}, "primal gradient"),
    ("llsq", "n256 m128", lambda r: {"x": vector(r, 128), "n": 256}, "primal gradient"),
    ("llsq", "n4096 m128", lambda r: {"x": vector(r, 128), "n": 4096}, "primal gradient"),
    ("lse", "n2500", lambda r: {"x": vector(r, 2500)}, "primal gradient"),
    ("lse", "n10000", lambda r: {"x": vector(r, 10000)}, "primal gradient"),
    ("lse", "n640000", lambda r: {"x": vector(r, 640000)}, "primal gradient"),
    ("ode", "n1000 s10", lambda r: {"x": vector(r, 1000), "s": 10}, "primal gradient"),
    ("ode", "n10000 s100", lambda r: {"x": vector(r, 10000), "s": 100}, "primal gradient"),
    ("ht", "simple small 2", lambda r: ht("simple_small", "hand2_t26_c192.txt"), "objective jacobian"),
    ("ht", "complicated small 1", lambda r: ht("complicated_small", "hand1_t26_c100.txt"), "objective jacobian"),
    ("ht", "complicated big 5", lambda r: ht("complicated_big", "hand5_t26_c800.txt"), "objective jacobian"),
    ("lstm", "l2 c1024", lambda r: lstm(r, 2, 1024), "objective jacobian"),
    ("lstm", "l4 c4096", lambda r: lstm(r, 4, 4096), "objective jacobian"),
    ("saddle", "", lambda r: {"start": [1.0, 1.0]}, "ff fr rf rr"),
    ("particle", "", lambda r: {"w": 0.0}, "ff fr rf rr"),
]


def time_ours(name, file):
    p = subprocess.run([os.path.join(DIR, "adjoint"), "-threads", "1", "-eval", name, "-seconds", str(SECONDS), "-file", file],
                       capture_output=True, text=True)
    if p.returncode:
        raise RuntimeError(p.stderr)
    return int(re.search(r", (\d+) ns the shortest", p.stderr)[1]), json.loads(p.stdout)


def time_peer(tool, eval_, function, file):
    p = subprocess.run([os.path.join(DIR, "tools", tool, "bin", eval_), file, function], capture_output=True, text=True)
    lines = p.stdout.splitlines()
    if p.returncode or not lines:
        return None
    times = [json.loads(line) for line in lines[1:]]
    return min(t["nanoseconds"] for t in times if t["name"] == "evaluate"), json.loads(lines[0])


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


def main():
    print("| eval | size | function | adjoint µs | " + " | ".join(TOOLS) + " | ratio to the best | largest difference |")
    print("|" + "---|" * (len(TOOLS) + 6))
    for eval_, size, make, functions in CASES:
        for function in functions.split():
            if not ONLY.search(f"{eval_}/{function}/{size}"):
                continue
            data = make(random.Random(31337))
            with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
                json.dump(data | {"min_runs": 1, "min_seconds": SECONDS}, f)
                f.flush()
                ours, peers, worst = None, {}, 0.0
                for _ in range(ROUNDS):
                    t, y = time_ours(f"{eval_}/{function}", f.name)
                    ours = min(ours or t, t)
                    for tool in TOOLS:
                        if tool == "finite" and eval_ not in ("particle", "saddle"):
                            continue  # minutes, one difference a parameter
                        if not os.path.exists(os.path.join(DIR, "tools", tool, "bin", eval_)):
                            continue
                        r = time_peer(tool, eval_, function, f.name)
                        if r is None:
                            continue
                        peers[tool] = min(peers.get(tool, r[0]), r[0])
                        if tool != "finite":
                            worst = max(worst, distance(y, r[1]))
            best = min(peers.values(), default=None)
            cells = [f"{peers[t] / 1e3:.1f}" if t in peers else "–" for t in TOOLS]
            print(f"| {eval_} | {size} | {function} | {ours / 1e3:.1f} | " + " | ".join(cells) +
                  f" | {best / ours:.2f} | {worst:.0e} |" if best else
                  f"| {eval_} | {size} | {function} | {ours / 1e3:.1f} | " + " | ".join(cells) + " | – | – |", flush=True)


main()
