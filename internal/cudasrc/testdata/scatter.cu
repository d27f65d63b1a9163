extern "C" __global__ void __launch_bounds__(256) scatter_@(const i64 *at, const float *p, float *q, u64 count, u64 d, u64 inner) {
	__shared__ u32 found[256], of[8];
	const u32 t = threadIdx.x, lane = t % 32, warp = t / 32;
	const u64 o = blockIdx.x / d, k = blockIdx.x - o * d;
	for (u64 c0 = 0; c0 < inner; c0 += 1024u) {
		float a[4];
		for (int l = 0; l < 4; l++)
			a[l] = c0 + t + l * 256 < inner ? float(0) : 0;
		for (u64 j0 = 0; j0 < count; j0 += 256u) {
			const u64 j = j0 + t;
			const bool mine = j < count && (u64)(i64)at[j] == k;
			const u32 m = __ballot_sync(0xffffffffu, mine);
			if (lane == 0) of[warp] = __popc(m);
			__syncthreads();
			u32 before = 0, all = 0;
			for (u32 w = 0; w < 8u; w++) {
				if (w == warp) before = all;
				all += of[w];
			}
			if (mine) found[before + __popc(m & ((1u << lane) - 1))] = t;
			__syncthreads();
			for (u32 i = 0; i < all; i++) {
				const float *x = p + (o * count + j0 + found[i]) * inner + c0 + t;
#pragma unroll
				for (int l = 0; l < 4; l++)
					if (c0 + t + l * 256 < inner) a[l] = f_sum(a[l], x[l * 256]);
			}
		}
		for (int l = 0; l < 4; l++)
			if (c0 + t + l * 256 < inner) q[(u64)blockIdx.x * inner + c0 + t + l * 256] = a[l];
	}
}
