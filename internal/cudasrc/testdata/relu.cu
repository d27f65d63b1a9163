ADJ void f_@(const float x0, const float x1, float &y0) {
	const float v0 = x0;
	const float v1 = x1;
	const float v2 = v_add(v0, v1);
	const bool v4 = v2 <= 0x0p+00f;
	const float v5 = v_f32(v_bits(v2) & ~v_mask32(v4));
	y0 = v5;
}

extern "C" __global__ void __launch_bounds__(256) map_@(const float *p0, const float *p1, float *q3, u64 n, u64 d1) {
	const u32 i = (blockIdx.x * 256u + threadIdx.x) * 4u;
	if (i >= n) return;
	const u64 left = n - i;
	u32 e1 = i;
	const u32 c1 = split(e1, d1);
	const u32 c0 = e1;
	float x0[4];
	load(x0, p0 + i, left);
	float x1[4];
	load(x1, p1 + (0 + (int)c1), left);
	float y3[4];
#pragma unroll
	for (int j = 0; j < 4; j++) f_@(x0[j], x1[j], y3[j]);
	store(q3 + i, y3, left);
}
