// The CPU side: statistics of the colours, and the blend itself.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include "blend_core.h"

namespace py = pybind11;

namespace {

constexpr int kChannels = 3;

using Image = py::array_t<std::uint8_t, py::array::c_style>;
using Mask = py::array_t<float, py::array::c_style>;
using Triple = py::array_t<float, py::array::c_style>;

void check(const Image &patch, const Image &region, const Mask &mask) {
  if (patch.ndim() != 3 || patch.shape(2) != kChannels) throw std::invalid_argument("patch is not height x width x 3");
  if (region.ndim() != 3 || region.shape(2) != kChannels) throw std::invalid_argument("region is not height x width x 3");
  if (mask.ndim() != 2) throw std::invalid_argument("mask is not height x width");
  for (int axis = 0; axis < 2; ++axis) {
    if (patch.shape(axis) != region.shape(axis) || patch.shape(axis) != mask.shape(axis)) {
      throw std::invalid_argument("patch, region and mask differ in size");
    }
  }
}

struct Moments {
  double mean = 0;
  double deviation = 0;
};

// Mean and standard deviation of one channel, each value weighted by the mask.
// Summed in one fixed order in double precision: the same on every machine.
Moments moments(const std::uint8_t *values, const float *mask, std::size_t pixels, int channel) {
  double weight = 0, sum = 0, squares = 0;
  for (std::size_t i = 0; i < pixels; ++i) {
    const double w = mask[i], v = values[i * kChannels + channel];
    weight += w;
    sum += w * v;
    squares += w * v * v;
  }
  if (weight <= 0) return {};
  const double mean = sum / weight;
  const double variance = squares / weight - mean * mean;
  return {mean, variance > 0 ? std::sqrt(variance) : 0};
}

// The line that gives the patch the mean and the deviation of the region, in
// each channel as far as strength (0..1) says.
std::pair<Triple, Triple> transfer(const Image &patch, const Image &region, const Mask &mask, const Triple &strength,
                                   float max_gain) {
  check(patch, region, mask);
  if (strength.ndim() != 1 || strength.shape(0) != kChannels) throw std::invalid_argument("strength is not three numbers");
  if (!(max_gain >= 1)) throw std::invalid_argument("max_gain is less than 1");
  const auto pixels = static_cast<std::size_t>(mask.size());
  Triple gain(kChannels), bias(kChannels);
  for (int c = 0; c < kChannels; ++c) {
    const Moments from = moments(patch.data(), mask.data(), pixels, c);
    const Moments to = moments(region.data(), mask.data(), pixels, c);
    double full = from.deviation > 0 ? to.deviation / from.deviation : 1;
    if (full > max_gain) full = max_gain;
    const double s = strength.at(c);
    gain.mutable_at(c) = static_cast<float>(1 + s * (full - 1));
    bias.mutable_at(c) = static_cast<float>(s * (to.mean - from.mean * full));
  }
  return {gain, bias};
}

Image blend(const Image &patch, const Image &region, const Mask &mask, const Triple &gain, const Triple &bias) {
  check(patch, region, mask);
  if (gain.size() != kChannels || bias.size() != kChannels) throw std::invalid_argument("gain and bias are not three numbers each");
  Image out({region.shape(0), region.shape(1), region.shape(2)});
  const std::uint8_t *p = patch.data(), *t = region.data();
  const float *m = mask.data(), *g = gain.data(), *b = bias.data();
  std::uint8_t *o = out.mutable_data();
  const auto pixels = static_cast<std::size_t>(mask.size());
  {
    py::gil_scoped_release release;
    for (std::size_t i = 0; i < pixels; ++i) {
      for (int c = 0; c < kChannels; ++c) {
        const std::size_t v = i * kChannels + static_cast<std::size_t>(c);
        o[v] = faceblend_value(p[v], t[v], m[i], g[c], b[c]);
      }
    }
  }
  return out;
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "Feathered blend with colour transfer, on the CPU.";
  m.def("transfer", &transfer, py::arg("patch"), py::arg("region"), py::arg("mask"), py::arg("strength"), py::arg("max_gain"));
  m.def("blend", &blend, py::arg("patch"), py::arg("region"), py::arg("mask"), py::arg("gain"), py::arg("bias"));
}
