ADJ void f0_@(const float x0, float &y0) {
	const float v0 = x0;
	y0 = v0;
}

ADJ void f1_@(const float x1, const float x2, float &y0, float &y1) {
	const float v0 = x1;
	const float v1 = x2;
	const float v2 = v_sub(v0, v1);
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

ADJ void f2_@(const float x5, const float x6, float &y0) {
	const float v0 = x5;
	const float v1 = x6;
	const float v2 = v_div(v0, v1);
	y0 = v2;
}

extern "C" __global__ void __launch_bounds__(256) chain_@(const float *p0, float *q7, u64 lines, u64 run) {
	__shared__ __align__(16) u8 room[8192];
	const u32 t = threadIdx.x, lane = t % 32, warp = t / 32, row = 0;
	const u32 line = blockIdx.x, start = line * (u32)run;
	u32 o = line;
	float g0;
	float g1;
	const u32 m = (u32)run;
	{
		float a0[1] = {v_f32((int)0xff800000u)};
		__shared__ float mid0[8];
		const u32 base = 0, size = m;
#pragma unroll 2
		for (u32 j = t * 4; j < size; j += 1024) {
			const u64 left = size - j;
			const u32 k = base + j;
			const u32 c = k, e = start + k;
			float x0[4];
			load(x0, p0 + e, left);
			store((float *)((u32 *)(room + 4096 + row * 4096) + k), x0, left);
			float z0[4];
#pragma unroll
			for (int j = 0; j < 4; j++) f0_@(x0[j], z0[j]);
#pragma unroll
			for (int i = 0; i < 4; i++) a0[0] = f_max(a0[0], z0[i]);
		}
		a0[0] = f_max(a0[0], shift_down(a0[0], 16, 32));
		a0[0] = f_max(a0[0], shift_down(a0[0], 8, 32));
		a0[0] = f_max(a0[0], shift_down(a0[0], 4, 32));
		a0[0] = f_max(a0[0], shift_down(a0[0], 2, 32));
		a0[0] = f_max(a0[0], shift_down(a0[0], 1, 32));
		if (lane == 0) mid0[warp] = a0[0];
		__syncthreads();
		g0 = mid0[0];
#pragma unroll
		for (int i = 1; i < 8; i++) g0 = f_max(g0, mid0[i]);
	}
	{
		float a0[1] = {(float)0};
		float *const slab0 = (float *)(room + 0);
		__shared__ float mid1[1];
		for (u32 base = 0; base < m; base += 1024) {
		const u32 size = m - base < 1024 ? m - base : 1024;
#pragma unroll 2
		for (u32 j = t * 4; j < size; j += 1024) {
			const u64 left = size - j;
			const u32 k = base + j;
			const u32 c = k, e = start + k;
			float x1[4];
			load(x1, (const float *)((u32 *)(room + 4096 + row * 4096) + k), left);
			const float x2 = g0;
			float y4[4];
			float z0[4];
#pragma unroll
			for (int j = 0; j < 4; j++) f1_@(x1[j], x2, y4[j], z0[j]);
			store((float *)((u32 *)(room + 4096 + row * 4096) + k), y4, left);
			store(slab0 + j, z0, 4);
		}
		__syncthreads();
		if (warp == 0) {
			for (u32 j = lane; j < size && lane < 32; j += 32) a0[0] = f_sum(a0[0], slab0[j]);
		}
		__syncthreads();
		}
		if (warp == 0) {
			a0[0] = f_sum(a0[0], shift_down(a0[0], 16, 32));
			a0[0] = f_sum(a0[0], shift_down(a0[0], 8, 32));
			a0[0] = f_sum(a0[0], shift_down(a0[0], 4, 32));
			a0[0] = f_sum(a0[0], shift_down(a0[0], 2, 32));
			a0[0] = f_sum(a0[0], shift_down(a0[0], 1, 32));
			if (lane == 0) mid1[0] = a0[0];
		}
		__syncthreads();
		g1 = mid1[0];
	}
	{
		const u32 base = 0, size = m;
#pragma unroll 2
		for (u32 j = t * 4; j < size; j += 1024) {
			const u64 left = size - j;
			const u32 k = base + j;
			const u32 c = k, e = start + k;
			float x5[4];
			load(x5, (const float *)((u32 *)(room + 4096 + row * 4096) + k), left);
			const float x6 = g1;
			float y7[4];
#pragma unroll
			for (int j = 0; j < 4; j++) f2_@(x5[j], x6, y7[j]);
			store(q7 + e, y7, left);
		}
	}
}
