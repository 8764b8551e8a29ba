// The Python face of the extension: checks shapes, then works without the GIL.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "blend.h"
#include "colour.h"

namespace py = pybind11;

namespace {

using Bytes = py::array_t<std::uint8_t, py::array::c_style>;
using Floats = py::array_t<float, py::array::c_style>;
using Sums = py::array_t<std::uint64_t, py::array::c_style>;

static_assert(sizeof(faceblend::Sum) == sizeof(std::uint64_t));

// Indices are ints, also on the GPU.
constexpr py::ssize_t kMaxPixels = 1 << 28;

bool HasShape(const py::array& array, std::initializer_list<py::ssize_t> shape) {
  return std::equal(array.shape(), array.shape() + array.ndim(), shape.begin(), shape.end());
}

faceblend::Frame CheckedFrame(const Bytes& region, const Bytes& patch, const Bytes& mask) {
  if (mask.ndim() != 2 || mask.size() == 0) throw py::value_error("mask is not a plane of bytes");
  const py::ssize_t height = mask.shape(0), width = mask.shape(1);
  if (width > kMaxPixels / height) throw py::value_error("mask has too many pixels");
  if (!HasShape(region, {height, width, 3})) throw py::value_error("region doesn't fit the mask");
  if (!HasShape(patch, {height, width, 3})) throw py::value_error("patch doesn't fit the mask");
  return {region.data(), patch.data(), mask.data(), static_cast<int>(width),
          static_cast<int>(height)};
}

Sums Moments(const Bytes& region, const Bytes& patch, const Bytes& mask) {
  const faceblend::Frame frame = CheckedFrame(region, patch, mask);
  faceblend::Sum sums[2 * faceblend::kMoments];
  {
    py::gil_scoped_release unlocked;
    faceblend::Moments(frame, sums);
  }
  Sums result({2, faceblend::kMoments});
  std::copy(std::begin(sums), std::end(sums), result.mutable_data());
  return result;
}

Floats Transfer(const Sums& moments, const Floats& from_rgb, const Floats& strength,
                const Floats& limits) {
  if (!HasShape(moments, {2, faceblend::kMoments})) throw py::value_error("moments are not 2x10");
  if (!HasShape(from_rgb, {3, 3})) throw py::value_error("colour matrix is not 3x3");
  if (!HasShape(strength, {3})) throw py::value_error("strength is not a value a channel");
  if (!HasShape(limits, {2}) || !(limits.at(0) <= limits.at(1)))
    throw py::value_error("gain limits are not a low and a high value");
  faceblend::Style style{{}, {}, limits.at(0), limits.at(1)};
  for (std::size_t i = 0; i < 3; ++i) {
    style.strength[i] = strength.at(i);
    for (std::size_t j = 0; j < 3; ++j) style.from_rgb[i][j] = from_rgb.at(i, j);
  }
  const auto to_rgb = faceblend::Inverse(style.from_rgb);
  if (!to_rgb) throw py::value_error("colour matrix has no inverse");
  faceblend::Sum sums[2 * faceblend::kMoments];
  std::copy_n(moments.data(), 2 * faceblend::kMoments, sums);
  const auto affine = faceblend::Transfer(sums, sums + faceblend::kMoments, style, *to_rgb);
  Floats result({3, 4});
  std::copy(affine.begin(), affine.end(), result.mutable_data());
  return result;
}

Bytes Mix(const Bytes& region, const Bytes& patch, const Bytes& mask, const Floats& taps,
          const Floats& affine) {
  const faceblend::Frame frame = CheckedFrame(region, patch, mask);
  if (taps.ndim() != 1 || taps.size() % 2 == 0) throw py::value_error("taps are not odd in number");
  if (!HasShape(affine, {3, 4})) throw py::value_error("affine matrix is not 3x4");
  Bytes result({frame.height, frame.width, 3});
  std::uint8_t* out = result.mutable_data();
  const float *tap = taps.data(), *matrix = affine.data();
  const int radius = static_cast<int>(taps.size() / 2);
  {
    py::gil_scoped_release unlocked;
    faceblend::MixFrame(frame, tap, radius, matrix, out);
  }
  return result;
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "Blend on the CPU: moments, transfer (its colour matrix) and mix.";
  m.def("moments", &Moments, py::arg("region").noconvert(), py::arg("patch").noconvert(),
        py::arg("mask").noconvert());
  m.def("transfer", &Transfer, py::arg("moments").noconvert(), py::arg("from_rgb").noconvert(),
        py::arg("strength").noconvert(), py::arg("limits").noconvert());
  m.def("mix", &Mix, py::arg("region").noconvert(), py::arg("patch").noconvert(),
        py::arg("mask").noconvert(), py::arg("taps").noconvert(), py::arg("affine").noconvert());
}
