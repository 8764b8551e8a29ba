// Colour transfer: gives the patch the mean and the spread of the region.
#ifndef FACEBLEND_COLOUR_H_
#define FACEBLEND_COLOUR_H_

#include <array>
#include <optional>

#include "blend_core.h"

namespace faceblend {

using Vector = std::array<double, 3>;
using Matrix = std::array<Vector, 3>;

// Style says how far the patch follows the colours of the region.
struct Style {
  Matrix from_rgb;  // into the space whose channels are matched
  Vector strength;  // of each channel, 0 (keep the patch's) to 1 (match)
  double gain_low;  // bounds of the contrast change
  double gain_high;
};

// Inverse returns nothing for a matrix that has none.
std::optional<Matrix> Inverse(const Matrix& m);

// Transfer is the whole colour transfer as one affine map of RGB, row-major
// 3x4. All its steps are linear, so one matrix does what four passes would.
// to_rgb is the inverse of style.from_rgb.
std::array<float, 12> Transfer(const Sum* region, const Sum* patch,
                               const Style& style, const Matrix& to_rgb);

}  // namespace faceblend

#endif  // FACEBLEND_COLOUR_H_
