// The blend as CUDA kernels: only indices here, the arithmetic is in
// blend_core.h. All arrays are dense; a launch is one-dimensional.
#include "blend_core.h"

// Adds the moments of region (10) and patch (10) to sums, which starts at zero.
// Any number of threads will do: each walks the pixels in strides.
extern "C" __global__ void faceblend_moments(
    const unsigned char* region, const unsigned char* patch,
    const unsigned char* mask, int pixels, unsigned long long* sums) {
  unsigned long long mine[2 * faceblend::kMoments] = {};
  const int stride = static_cast<int>(gridDim.x * blockDim.x);
  for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
       i < pixels; i += stride) {
    faceblend::AddMoments(region + 3 * i, mask[i], mine);
    faceblend::AddMoments(patch + 3 * i, mask[i], mine + faceblend::kMoments);
  }
  for (int k = 0; k < 2 * faceblend::kMoments; ++k) atomicAdd(&sums[k], mine[k]);
}

// Blurs the mask along its rows; one thread a pixel.
extern "C" __global__ void faceblend_rows(const unsigned char* mask, int width,
                                          int height, const float* taps,
                                          int radius, float* rows) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= width * height) return;
  const int x = i % width;
  rows[i] = faceblend::Convolve(mask + (i - x), 1, width, x, taps, radius);
}

// Blurs rows along its columns and lays the coloured patch over the region;
// one thread a pixel.
extern "C" __global__ void faceblend_mix(
    const unsigned char* region, const unsigned char* patch,
    const unsigned char* mask, const float* rows, int width, int height,
    const float* taps, int radius, const float* affine, unsigned char* out) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= width * height) return;
  const float blurred = faceblend::Convolve(rows + i % width, width, height,
                                            i / width, taps, radius);
  faceblend::Mix(region + 3 * i, patch + 3 * i,
                 faceblend::Alpha(mask[i], blurred), affine, out + 3 * i);
}
