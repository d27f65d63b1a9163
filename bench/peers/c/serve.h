// The peers' side of the protocol in bench/peers.go, for C: a program includes this file and defines
// prepare, run and at.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// prepare makes a case ready, or returns why not.
static const char *prepare(const char *request);
static void run(void);
static double at(long i);

static double number(uint64_t seed, uint64_t i) {
	uint64_t z = (seed << 32) + i + 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	z ^= z >> 31;
	return (double)(z >> 40) / (1 << 24);
}

static void *make(size_t bytes) {
	void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
	if (p)
		memset(p, 0, bytes);
	return p;
}

// half is the bfloat16 of x, rounded to the nearest, ties to even.
static uint16_t half(float x) {
	uint32_t u;
	memcpy(&u, &x, 4);
	return (u + 0x7fff + (u >> 16 & 1)) >> 16;
}

// numbers fills p, of bfloat16, float or double by their size, with n numbers of [lo, hi).
static void *numbers(int size, int seed, long n, double lo, double hi) {
	void *p = make(size * n);
	for (long i = 0; p && i < n; i++) {
		double x = lo + (hi - lo) * number(seed, i);
		if (size == 2)
			((uint16_t *)p)[i] = half(x);
		else if (size == 4)
			((float *)p)[i] = x;
		else
			((double *)p)[i] = x;
	}
	return p;
}

// field points behind "key": in a line of JSON.
static const char *field(const char *line, const char *key) {
	char quoted[64];
	snprintf(quoted, sizeof quoted, "\"%s\":", key);
	const char *p = strstr(line, quoted);
	return p ? p + strlen(quoted) : "";
}

static long integer(const char *line, const char *key) { return strtol(field(line, key), 0, 10); }
static int truth(const char *line, const char *key) { return field(line, key)[0] == 't'; }
static int is(const char *line, const char *key, const char *text) {
	const char *p = field(line, key);
	size_t n = strlen(text);
	return p[0] == '"' && !strncmp(p + 1, text, n) && p[n + 1] == '"';
}

static long long between(struct timespec a, struct timespec b) {
	return (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec;
}

static void serve(const char *name, const char *version) {
	static char line[1 << 16];
	printf("{\"name\": \"%s\", \"version\": \"%s\"}\n", name, version);
	fflush(stdout);
	struct timespec a, b;
	while (fgets(line, sizeof line, stdin)) {
		if (*field(line, "prepare")) {
			const char *why = prepare(line);
			if (why)
				printf("{\"error\": \"%s\"}\n", why);
			else {
				clock_gettime(CLOCK_MONOTONIC, &a);
				run();
				clock_gettime(CLOCK_MONOTONIC, &b);
				printf("{\"ns\": %lld}\n", between(a, b));
			}
		} else if (*field(line, "at")) {
			char *p = (char *)field(line, "at");
			printf("{\"values\": [");
			for (int first = 1; *p == '[' || *p == ','; first = 0) {
				double v = at(strtol(p + 1, &p, 10));
				if (v - v != 0)
					printf("%snull", first ? "" : ", ");
				else
					printf("%s%.17g", first ? "" : ", ", v);
			}
			printf("]}\n");
		} else {
			long n = integer(line, "run");
			clock_gettime(CLOCK_MONOTONIC, &a);
			for (long i = 0; i < n; i++)
				run();
			clock_gettime(CLOCK_MONOTONIC, &b);
			printf("{\"ns\": %lld}\n", between(a, b));
		}
		fflush(stdout);
	}
}
