#include "colour.h"

#include <algorithm>
#include <cmath>

namespace faceblend {
namespace {

// Below this variance a patch counts as flat: it has no contrast to change.
constexpr double kFlat = 1e-6;

struct Channel {
  double mean;
  double variance;
};

// Measure turns moments in RGB into mean and variance along one row of a
// colour matrix.
Channel Measure(const Sum* moments, const Vector& row) {
  constexpr int kProduct[3][3] = {{4, 5, 6}, {5, 7, 8}, {6, 8, 9}};
  const double weight = static_cast<double>(moments[0]);
  Vector mean{};
  for (std::size_t i = 0; i < 3; ++i)
    mean[i] = static_cast<double>(moments[1 + i]) / weight;
  Channel channel{};
  for (std::size_t i = 0; i < 3; ++i) {
    channel.mean += row[i] * mean[i];
    for (std::size_t j = 0; j < 3; ++j) {
      const double product = static_cast<double>(moments[kProduct[i][j]]) / weight;
      channel.variance += row[i] * row[j] * (product - mean[i] * mean[j]);
    }
  }
  channel.variance = std::max(channel.variance, 0.0);
  return channel;
}

// Line is y = gain * x + shift.
struct Line {
  double gain;
  double shift;
};

Line Match(const Channel& region, const Channel& patch, double strength,
           const Style& style) {
  double ratio = 1.0;
  if (patch.variance > kFlat) ratio = std::sqrt(region.variance / patch.variance);
  ratio = std::clamp(ratio, style.gain_low, style.gain_high);
  const double gain = 1.0 + strength * (ratio - 1.0);
  const double mean = patch.mean + strength * (region.mean - patch.mean);
  return {gain, mean - gain * patch.mean};
}

}  // namespace

std::optional<Matrix> Inverse(const Matrix& m) {
  Matrix cofactors{};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t a = (i + 1) % 3, b = (i + 2) % 3;
    for (std::size_t j = 0; j < 3; ++j) {
      const std::size_t c = (j + 1) % 3, d = (j + 2) % 3;
      cofactors[j][i] = m[a][c] * m[b][d] - m[a][d] * m[b][c];
    }
  }
  const double determinant = m[0][0] * cofactors[0][0] +
                             m[0][1] * cofactors[1][0] + m[0][2] * cofactors[2][0];
  if (!(std::abs(determinant) > 1e-9)) return std::nullopt;
  for (Vector& row : cofactors)
    for (double& value : row) value /= determinant;
  return cofactors;
}

std::array<float, 12> Transfer(const Sum* region, const Sum* patch,
                               const Style& style, const Matrix& to_rgb) {
  if (region[0] == 0) return {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};  // empty mask
  std::array<Line, 3> lines{};
  for (std::size_t k = 0; k < 3; ++k) {
    const Vector& row = style.from_rgb[k];
    lines[k] = Match(Measure(region, row), Measure(patch, row), style.strength[k], style);
  }
  std::array<float, 12> affine{};
  for (std::size_t i = 0; i < 3; ++i) {
    Vector linear{};
    double shift = 0.0;
    for (std::size_t k = 0; k < 3; ++k) {
      for (std::size_t j = 0; j < 3; ++j)
        linear[j] += to_rgb[i][k] * lines[k].gain * style.from_rgb[k][j];
      shift += to_rgb[i][k] * lines[k].shift;
    }
    for (std::size_t j = 0; j < 3; ++j) affine[4 * i + j] = static_cast<float>(linear[j]);
    affine[4 * i + 3] = static_cast<float>(shift);
  }
  return affine;
}

}  // namespace faceblend
