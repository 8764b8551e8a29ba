#include "blend.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace faceblend {

void Moments(const Frame& frame, Sum (&sums)[2 * kMoments]) {
  std::fill(std::begin(sums), std::end(sums), 0);
  const int pixels = frame.width * frame.height;
  for (int i = 0; i < pixels; ++i) {
    AddMoments(frame.region + 3 * i, frame.mask[i], sums);
    AddMoments(frame.patch + 3 * i, frame.mask[i], sums + kMoments);
  }
}

void MixFrame(const Frame& frame, const float* taps, int radius,
              const float* affine, Byte* out) {
  const int pixels = frame.width * frame.height;
  std::vector<float> rows(static_cast<std::size_t>(pixels));
  for (int i = 0; i < pixels; ++i) {
    const int x = i % frame.width;
    rows[static_cast<std::size_t>(i)] =
        Convolve(frame.mask + (i - x), 1, frame.width, x, taps, radius);
  }
  for (int i = 0; i < pixels; ++i) {
    const float blurred = Convolve(rows.data() + i % frame.width, frame.width,
                                   frame.height, i / frame.width, taps, radius);
    Mix(frame.region + 3 * i, frame.patch + 3 * i,
        Alpha(frame.mask[i], blurred), affine, out + 3 * i);
  }
}

}  // namespace faceblend
