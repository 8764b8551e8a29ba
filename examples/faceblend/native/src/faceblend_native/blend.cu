// One thread a value. region holds the part of the picture below the patch and
// receives the result.
extern "C" __global__ void blend(const unsigned char *patch, unsigned char *region, const float *mask,
                                 const float *gain, const float *bias, unsigned int values) {
  const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= values) return;
  const unsigned int channel = i % 3;
  region[i] = faceblend_value(patch[i], region[i], mask[i / 3], gain[channel], bias[channel]);
}
