ADJ void f_@(const float x0, const float x1, float &y0, float &y1) {
	const float v0 = x0;
	const float v1 = x1;
	const float v2 = v_add(v0, v1);
	const float v5 = -0x1.ap+06f > v2 ? -0x1.ap+06f : v2;
	const float v6 = 0x1.64p+06f < v5 ? 0x1.64p+06f : v5;
	const float v9 = v_fma(v6, 0x1.715476p+00f, 0x1.8001fcp+23f);
	const float v12 = v_fma(v6, 0x1.715476p-01f, 0x1.8000fep+23f);
	const float v13 = v_sub(v9, 0x1.8001fcp+23f);
	const float v15 = v_fma(-(v13), 0x1.62e43p-01f, v6);
	const int v18 = v_bits(v12);
	const int v19 = (int)((u32)v18 << 23);
	const float v20 = v_f32(v19);
	const int v21 = v_bits(v9);
	const int v22 = v_sub(v21, v18);
	const int v23 = (int)((u32)v22 << 23);
	const float v24 = v_f32(v23);
	const float v25 = v_fma(-(v13), -0x1.05c61p-29f, v15);
	const float v29 = v_fma(0x1.6ab4b2p-10f, v25, 0x1.123f42p-07f);
	const float v31 = v_fma(v29, v25, 0x1.555876p-05f);
	const float v33 = v_fma(v31, v25, 0x1.555492p-03f);
	const float v35 = v_fma(v33, v25, 0x1.fffffcp-02f);
	const float v36 = v_fma(v25, v35, 0x1p+00f);
	const float v37 = v_fma(v25, v36, 0x1p+00f);
	const float v38 = v_mul(v37, v20);
	const float v39 = v_mul(v38, v24);
	y0 = v39;
	y1 = v39;
}

extern "C" __global__ void __launch_bounds__(256) longcolumns_@(const float *p0, const float *p1, float *q3, float *r0, u64 run, u64 inner, u64 tiles) {
	__shared__ __align__(16) float slab0[4096];
	const u32 t = threadIdx.x;
	u32 o = blockIdx.x;
	const u32 col0 = split(o, tiles) * 32;
	const u32 across = inner - col0 < 32 ? (u32)(inner - col0) : 32;
	const u32 line = o;
	const u32 from = 0, end = (u32)run;
	const int o1 = 0;
	float a0 = (float)0;
	for (u32 base = from; base < end; base += 128) {
		const u32 rows = end - base < 128 ? (u32)(end - base) : 128;
#pragma unroll 4
		for (u32 k = t; k < rows * 32; k += 256) {
			const u32 row = k / 32, col1 = k % 32;
			if (col1 >= across) continue;
			const u32 r = base + row, col = col0 + col1, e = (o * (u32)run + r) * (u32)inner + col;
			const u32 c1 = col;
			const float x0 = p0[e];
			const float x1 = p1[o1 + (int)c1];
			float y3;
			float z0;
			f_@(x0, x1, y3, z0);
			q3[e] = y3;
			slab0[k] = z0;
		}
		__syncthreads();
		if (t >= 0 && t < 0 + across)
			for (u32 k = t - 0; k < rows * 32; k += 32) a0 = f_sum(a0, slab0[k]);
		__syncthreads();
	}
	if (t >= 0 && t < 0 + across) r0[line * (u32)inner + col0 + t - 0] = a0;
}
