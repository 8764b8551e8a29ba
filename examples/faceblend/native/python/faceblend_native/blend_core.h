// The arithmetic of one pixel, shared by the C++ extension and the CUDA
// kernels (NVRTC compiles this very file), so that both give the same bytes.
// No includes: NVRTC has no standard headers.
#ifndef FACEBLEND_BLEND_CORE_H_
#define FACEBLEND_BLEND_CORE_H_

#ifdef __CUDACC__
#define FACEBLEND_FN __device__ inline
#else
#define FACEBLEND_FN inline
#endif

namespace faceblend {

using Byte = unsigned char;
using Sum = unsigned long long;

// Moments of a picture under a mask: the weight, three sums, and the six
// products rr rg rb gg gb bb. Integers, so that their order doesn't matter.
constexpr int kMoments = 10;

FACEBLEND_FN void AddMoments(const Byte* rgb, Byte weight, Sum* moments) {
  const Sum w = weight, r = rgb[0], g = rgb[1], b = rgb[2];
  moments[0] += w;
  moments[1] += w * r;
  moments[2] += w * g;
  moments[3] += w * b;
  moments[4] += w * r * r;
  moments[5] += w * r * g;
  moments[6] += w * r * b;
  moments[7] += w * g * g;
  moments[8] += w * g * b;
  moments[9] += w * b * b;
}

// Convolve filters one value of a line of length values, stride apart. What
// lies beyond the ends counts as zero.
template <typename T>
FACEBLEND_FN float Convolve(const T* line, int stride, int length, int at,
                            const float* taps, int radius) {
  float sum = 0.0f;
  for (int k = -radius; k <= radius; ++k) {
    const int i = at + k;
    if (i < 0 || i >= length) continue;
    sum += taps[k + radius] * static_cast<float>(line[i * stride]);
  }
  return sum;
}

FACEBLEND_FN float Clamp(float value, float low, float high) {
  return value < low ? low : (value > high ? high : value);
}

// Alpha makes the share of the patch from the mask (0 to 255) and the blurred
// mask. A blurred edge is at half height, so 2b - 255 falls to zero just at the
// edge: the feather grows inwards and nothing outside the mask ever changes.
FACEBLEND_FN float Alpha(Byte mask, float blurred) {
  const float inner = Clamp(2.0f * blurred - 255.0f, 0.0f, 255.0f);
  const float hard = static_cast<float>(mask);
  return (inner < hard ? inner : hard) * (1.0f / 255.0f);
}

// Mix colours a pixel of the patch with the 3x4 matrix affine and lays it over
// a pixel of the region.
FACEBLEND_FN void Mix(const Byte* region, const Byte* patch, float alpha,
                      const float* affine, Byte* out) {
  const float r = patch[0], g = patch[1], b = patch[2];
  for (int c = 0; c < 3; ++c) {
    const float* row = affine + 4 * c;
    const float coloured =
        Clamp(row[0] * r + row[1] * g + row[2] * b + row[3], 0.0f, 255.0f);
    const float below = region[c];
    const float mixed = below + alpha * (coloured - below);
    out[c] = static_cast<Byte>(Clamp(mixed, 0.0f, 255.0f) + 0.5f);
  }
}

}  // namespace faceblend

#endif  // FACEBLEND_BLEND_CORE_H_
