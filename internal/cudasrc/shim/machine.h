// The machine that runs kernels, behind shim.h: its threads, its barriers, and requests from another process.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

shim_dim threadIdx, blockIdx, blockDim, gridDim;

[[noreturn]] static void shim_die(const char *what) {
	fprintf(stderr, "shim: %s (block %u, thread %u)\n", what, blockIdx.x, threadIdx.x);
	exit(3);
}

// A thread has a stack, made once, on which it does block after block. Contexts begin it; jumps, which need no call of the system,
// lead from there to the scheduler and back.
struct shim_fiber {
	jmp_buf at;
	char *stack;
	shim_state state;
};

static shim_fiber shim_fibers[1024];
static jmp_buf shim_scheduler;
static bool shim_sequential;
static void (*shim_entry)(const uint64_t *);
static const uint64_t *shim_args;
uint64_t shim_slots[2][1024];
unsigned shim_turn[1024];

static unsigned shim_seed = 1;
static bool shim_luck() { return (shim_seed = shim_seed * 1664525u + 1013904223u) >> 31; }

static void shim_leave(unsigned t, shim_state s) {
	shim_fibers[t].state = s;
	if (_setjmp(shim_fibers[t].at) == 0) _longjmp(shim_scheduler, 1);
	threadIdx.x = t;
}

void shim_yield(shim_state s) {
	if (shim_sequential) shim_die("a barrier in a kernel that is said to have none");
	shim_leave(threadIdx.x, s);
}

static void shim_thread(unsigned t) {
	for (threadIdx.x = t;;) {
		shim_entry(shim_args);
		shim_leave(t, shim_done);
	}
}

// Goes on with thread t until it gives way.
static void shim_resume(unsigned t) {
	shim_fiber &f = shim_fibers[t];
	if (_setjmp(shim_scheduler) != 0) return;
	if (f.stack != NULL) _longjmp(f.at, 1);
	const size_t size = 256 << 10;
	ucontext_t first;
	getcontext(&first);
	first.uc_stack.ss_sp = f.stack = (char *)malloc(size);
	first.uc_stack.ss_size = size;
	makecontext(&first, (void (*)())shim_thread, 1, t);
	setcontext(&first);
}

static void shim_block(const shim_row &k) {
	const unsigned threads = k.block;
	if (k.shared != NULL) memset(k.shared, 0xff, k.shared_end - k.shared); // what another block has left there is nobody's
	for (unsigned t = 0; t < threads; t++) {
		shim_fibers[t].state = shim_runs;
		shim_turn[t] = 0;
	}
	for (bool more = true; more;) {
		bool shuffles = false, barrier = false, done = false;
		const bool backwards = shim_luck();
		for (unsigned i = 0; i < threads; i++) {
			const unsigned t = backwards ? threads - 1 - i : i;
			if (shim_fibers[t].state != shim_done && shim_fibers[t].state != shim_at_barrier)
				shim_resume(t);
		}
		for (unsigned t = 0; t < threads; t++) {
			const shim_state s = shim_fibers[t].state;
			shuffles = shuffles || s == shim_at_shuffle;
			barrier = barrier || s == shim_at_barrier;
			done = done || s == shim_done;
			if (s != shim_fibers[t / 32 * 32].state) shim_die("threads of a warp wait at different places");
		}
		more = shuffles || barrier;
		if (shuffles || !barrier) continue; // who is at the barrier waits for warps that are not
		if (done) shim_die("not all threads of a block come to a barrier");
		for (unsigned t = 0; t < threads; t++) shim_fibers[t].state = shim_runs;
	}
}

extern "C" void shim_launch(const shim_row *k, uint64_t grid, const uint64_t *args) {
	shim_entry = k->call;
	shim_args = args;
	shim_sequential = !k->waits;
	blockDim.x = k->block;
	gridDim.x = (unsigned)grid;
	const bool backwards = shim_luck();
	for (uint64_t b = 0; b < grid; b++) {
		blockIdx.x = (unsigned)(backwards ? grid - 1 - b : b);
		if (k->waits) {
			shim_block(*k);
			continue;
		}
		for (unsigned t = 0; t < k->block; t++) {
			threadIdx.x = backwards ? k->block - 1 - t : t;
			k->call(args);
		}
	}
}

static uint64_t shim_word() {
	uint64_t w;
	if (fread(&w, sizeof w, 1, stdin) != 1) exit(0);
	return w;
}

// Requests: buffers, then launches; the answer is the buffers. What lies around a buffer may not change.
[[maybe_unused]] static int shim_serve(const shim_row *const *kernels, size_t count) {
	const size_t guard = 4096;
	for (;;) {
		const uint64_t n = shim_word();
		uint64_t *const size = (uint64_t *)malloc(8 * n + 8);
		unsigned char **const room = (unsigned char **)malloc(8 * n + 8);
		for (uint64_t i = 0; i < n; i++) {
			size[i] = shim_word();
			room[i] = (unsigned char *)aligned_alloc(guard, (size[i] + 3 * guard - 1) / guard * guard);
			memset(room[i], 0xa5, (size[i] + 3 * guard - 1) / guard * guard);
			if (size[i] > 0 && fread(room[i] + guard, size[i], 1, stdin) != 1) exit(0);
		}
		for (uint64_t left = shim_word(); left > 0; left--) {
			const uint64_t k = shim_word(), grid = shim_word(), params = shim_word();
			uint64_t *const args = (uint64_t *)malloc(8 * params + 8);
			for (uint64_t i = 0; i < params; i++) {
				const uint64_t buffer = shim_word(), w = shim_word();
				args[i] = buffer == ~0ull ? w : (uint64_t)(uintptr_t)(room[buffer] + guard) + w;
			}
			if (k >= count) shim_die("no such kernel");
			shim_launch(kernels[k], grid, args);
			free(args);
		}
		for (uint64_t i = 0; i < n; i++) {
			for (size_t j = 0; j < guard; j++)
				if (room[i][j] != 0xa5 || room[i][guard + size[i] + j] != 0xa5) {
					fprintf(stderr, "shim: bytes around buffer %lu were written\n", (unsigned long)i);
					exit(4);
				}
			fwrite(room[i] + guard, size[i], 1, stdout);
			free(room[i]);
		}
		free(size);
		free(room);
		fflush(stdout);
	}
}
