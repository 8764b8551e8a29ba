// What one value of the picture becomes. The CPU and the GPU compile this same
// text, so that they can't drift apart.
#ifndef FACEBLEND_CORE_H
#define FACEBLEND_CORE_H

#ifdef __CUDACC__
#define FACEBLEND_FN __device__ static inline
#else
#define FACEBLEND_FN static inline
#endif

// patch and target are 0..255, mask is 0..1. gain and bias move the patch to the
// colours of its surroundings.
FACEBLEND_FN unsigned char faceblend_value(unsigned char patch, unsigned char target, float mask, float gain, float bias) {
  const float moved = static_cast<float>(patch) * gain + bias;
  const float under = static_cast<float>(target);
  const float mixed = under + (moved - under) * mask + 0.5f;
  if (!(mixed > 0.0f)) return 0;
  if (mixed >= 255.0f) return 255;
  return static_cast<unsigned char>(mixed);
}

#endif
