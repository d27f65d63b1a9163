extern "C" __global__ void __launch_bounds__(256) turn_@(const float *p, float *q, u64 rows, u64 cols, i64 row, i64 col, u64 c, u64 r) {
	__shared__ float part[32][33];
	const u32 i = threadIdx.x % 32, j = threadIdx.x / 32;
	u32 o = blockIdx.x;
	const u32 c0 = split(o, c) * 32;
	const u32 r0 = split(o, r) * 32;
	for (u32 l = j; l < 32; l += 8)
		if (r0 + i < rows && c0 + l < cols) part[l][i] = p[(int)(r0 + i) + (int)(c0 + l) * (int)col];
	__syncthreads();
	for (u32 l = j; l < 32; l += 8)
		if (r0 + l < rows && c0 + i < cols) q[(r0 + l) * (u32)row + c0 + i] = part[i][l];
}
