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

extern "C" __global__ void __launch_bounds__(256) rows_@(const float *p0, const float *p1, float *q3, float *r0, u64 lines, u64 run) {
	const u32 t = threadIdx.x % 32u;
	const u32 line = (u32)blockIdx.x * 8u + threadIdx.x / 32u;
	const bool live = line < lines;
	u32 o = line;
	const u32 from = 0;
	const u32 end = live ? (u32)run : 0;
	const int o1 = 0;
	float a0[1] = {(float)0};
#pragma unroll 4
	for (u32 k = t; k < end; k += 32u) {
		const u32 c = from + k, e = o * (u32)run + c;
		const u32 c1 = c;
		const float x0 = p0[e];
		const float x1 = p1[o1 + (int)c1];
		float y3;
		float z0;
		f_@(x0, x1, y3, z0);
		q3[e] = y3;
		a0[0] = f_sum(a0[0], z0);
	}
	a0[0] = f_sum(a0[0], shift_down(a0[0], 16, 32));
	a0[0] = f_sum(a0[0], shift_down(a0[0], 8, 32));
	a0[0] = f_sum(a0[0], shift_down(a0[0], 4, 32));
	a0[0] = f_sum(a0[0], shift_down(a0[0], 2, 32));
	a0[0] = f_sum(a0[0], shift_down(a0[0], 1, 32));
	if (live && t == 0) {
		r0[line] = a0[0];
	}
}
