// The blend on the CPU, over dense arrays.
#ifndef FACEBLEND_BLEND_H_
#define FACEBLEND_BLEND_H_

#include "blend_core.h"

namespace faceblend {

// Frame is a patch and what lies under it: height x width pixels each.
struct Frame {
  const Byte* region;  // 3 bytes a pixel
  const Byte* patch;   // 3 bytes a pixel
  const Byte* mask;    // 1 byte a pixel
  int width;
  int height;
};

// Moments fills sums with the moments of the region and then of the patch.
void Moments(const Frame& frame, Sum (&sums)[2 * kMoments]);

// MixFrame feathers the mask with 2 * radius + 1 taps and lays the patch,
// coloured by the 3x4 matrix affine, over the region.
void MixFrame(const Frame& frame, const float* taps, int radius,
              const float* affine, Byte* out);

}  // namespace faceblend

#endif  // FACEBLEND_BLEND_H_
