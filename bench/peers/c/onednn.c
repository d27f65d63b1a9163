// oneDNN's side of the products: its matmul primitive, made once, for batches too. It has no float64.
#include "serve.h"
#include <oneapi/dnnl/dnnl.h>

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static dnnl_primitive_t primitive;
static dnnl_memory_t memory[3];
static void *data[3];
static const int names[3] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};

// matrices describes a batch of rows × cols, stored the other way round where transposed.
static dnnl_status_t matrices(dnnl_memory_desc_t *d, dnnl_data_type_t type, long batch, long rows, long cols, int transposed) {
	dnnl_dims_t dims = {batch, rows, cols}, strides = {rows * cols, transposed ? 1 : cols, transposed ? rows : 1};
	return dnnl_memory_desc_create_with_strides(d, 3, dims, type, strides);
}

static const char *prepare(const char *q) {
	if (primitive)
		dnnl_primitive_destroy(primitive), primitive = 0;
	for (int i = 0; i < 3; i++) {
		if (memory[i])
			dnnl_memory_destroy(memory[i]), memory[i] = 0;
		free(data[i]), data[i] = 0;
	}
	if (!is(q, "kind", "gemm"))
		return "has no such case";
	if (is(q, "dtype", "f64"))
		return "has no float64";
	int size = is(q, "dtype", "bf16") ? 2 : 4;
	dnnl_data_type_t type = size == 2 ? dnnl_bf16 : dnnl_f32;
	long batch = integer(q, "batch"), m = integer(q, "m"), n = integer(q, "n"), k = integer(q, "k");
	data[0] = numbers(size, 1, batch * m * k, -1, 1);
	data[1] = numbers(size, 2, batch * k * n, -1, 1);
	data[2] = make(4 * batch * m * n);
	if (!data[0] || !data[1] || !data[2])
		return "out of memory";
	dnnl_memory_desc_t d[3];
	dnnl_primitive_desc_t p;
	if (matrices(&d[0], type, batch, m, k, truth(q, "ta")) || matrices(&d[1], type, batch, k, n, truth(q, "tb")) ||
		matrices(&d[2], dnnl_f32, batch, m, n, 0) ||
		dnnl_matmul_primitive_desc_create(&p, engine, d[0], d[1], 0, d[2], 0) || dnnl_primitive_create(&primitive, p))
		return "refuses the product";
	dnnl_primitive_desc_destroy(p);
	for (int i = 0; i < 3; i++) {
		if (dnnl_memory_create(&memory[i], d[i], engine, data[i]))
			return "refuses the memory";
		dnnl_memory_desc_destroy(d[i]);
	}
	return 0;
}

static void run(void) {
	dnnl_exec_arg_t args[3];
	for (int i = 0; i < 3; i++)
		args[i] = (dnnl_exec_arg_t){names[i], memory[i]};
	if (dnnl_primitive_execute(primitive, stream, 3, args) || dnnl_stream_wait(stream))
		abort();
}

static double at(long i) { return ((float *)data[2])[i]; }

int main(void) {
	char text[32];
	const dnnl_version_t *v = dnnl_version();
	snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
	if (dnnl_engine_create(&engine, dnnl_cpu, 0) || dnnl_stream_create(&stream, engine, dnnl_stream_default_flags))
		return 1;
	serve("onednn", text);
}
