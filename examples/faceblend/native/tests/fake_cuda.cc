// A driver for machines without a GPU: the calls of cuda.py over plain memory,
// and the real kernels, compiled as C++ and run one thread after the other.
#include <cstring>
#include <map>
#include <string>
#include <vector>

struct Dim { unsigned x; };
static Dim gridDim, blockDim, blockIdx, threadIdx;
static unsigned long long atomicAdd(unsigned long long* at, unsigned long long value) {
  const unsigned long long before = *at;
  *at += value;
  return before;
}
#define __global__
#include "blend.cu"

static std::map<unsigned long long, std::size_t> buffers;  // live ones: address, size
static std::string failing;                                // the call that fails
static int contexts, context, device_count = 1;
static thread_local void* current;

enum { kOk = 0, kInvalid = 1, kOutOfMemory = 2, kNoContext = 201 };

static int Gate(const char* name) {
  if (failing == name) return kOutOfMemory;
  return current == &context ? kOk : kNoContext;
}

// Inside tells whether size bytes from at lie within one live buffer.
static bool Inside(unsigned long long at, std::size_t size) {
  const auto found = buffers.find(at);
  return found != buffers.end() && size <= found->second;
}

// Value reads a kernel's parameter as the driver does: by the kernel's own type.
template <typename T>
static T Value(void** parameters, int i) {
  T value;
  std::memcpy(&value, parameters[i], sizeof value);
  return value;
}

#define PTR(T, i) reinterpret_cast<T*>(Value<unsigned long long>(p, i))
#define INT(i) Value<int>(p, i)

static void RunThread(const std::string& kernel, void** p) {
  using B = unsigned char;
  if (kernel == "faceblend_moments")
    faceblend_moments(PTR(B, 0), PTR(B, 1), PTR(B, 2), INT(3), PTR(unsigned long long, 4));
  if (kernel == "faceblend_rows")
    faceblend_rows(PTR(B, 0), INT(1), INT(2), PTR(float, 3), INT(4), PTR(float, 5));
  if (kernel == "faceblend_mix")
    faceblend_mix(PTR(B, 0), PTR(B, 1), PTR(B, 2), PTR(float, 3), INT(4), INT(5), PTR(float, 6),
                  INT(7), PTR(float, 8), PTR(B, 9));
}

extern "C" {
void fake_fail(const char* name) { failing = name; }
void fake_devices(int count) { device_count = count; }
int fake_live_buffers() { return static_cast<int>(buffers.size()); }
int fake_live_contexts() { return contexts; }

int cuInit(unsigned flags) { return failing == "cuInit" ? 100 : (flags ? kInvalid : kOk); }
int cuGetErrorName(int code, const char** name) {
  static const std::map<int, const char*> names = {{1, "CUDA_ERROR_INVALID_VALUE"},
                                                   {2, "CUDA_ERROR_OUT_OF_MEMORY"},
                                                   {100, "CUDA_ERROR_NO_DEVICE"}};
  const auto found = names.find(code);
  *name = found == names.end() ? nullptr : found->second;
  return found == names.end() ? kInvalid : kOk;
}
int cuDeviceGetCount(int* count) { return *count = device_count, kOk; }
int cuDeviceGet(int* device, int ordinal) { return *device = 7 + ordinal, kOk; }
int cuDeviceGetName(char* name, int size, int device) {
  if (device != 7 || size < 9) return kInvalid;
  return std::strcpy(name, "Fake GPU"), kOk;
}
int cuDeviceGetAttribute(int* value, int attribute, int device) {
  if (device != 7 || attribute < 75 || attribute > 76) return kInvalid;
  return *value = attribute == 75 ? 8 : 6, kOk;
}
int cuDevicePrimaryCtxRetain(void** out, int device) {
  if (device != 7 || failing == "cuDevicePrimaryCtxRetain") return kInvalid;
  return *out = &context, ++contexts, kOk;
}
int cuDevicePrimaryCtxRelease_v2(int device) { return --contexts, device == 7 ? kOk : kInvalid; }
int cuCtxSetCurrent(void* wanted) { return current = wanted, kOk; }
int cuCtxSynchronize() { return Gate("cuCtxSynchronize"); }
int cuModuleLoadData(void** module, const void* image) {
  *module = const_cast<void*>(image);
  return std::strcmp(static_cast<const char*>(image), "kernels") ? kInvalid : Gate("cuModuleLoadData");
}
int cuModuleGetFunction(void** function, void*, const char* name) {
  *function = new std::string(name);
  return Gate("cuModuleGetFunction");
}
int cuMemAlloc_v2(unsigned long long* out, std::size_t size) {
  if (const int code = Gate("cuMemAlloc_v2")) return code;
  if (failing == "third cuMemAlloc_v2" && buffers.size() == 2) return kOutOfMemory;
  if (size == 0) return kInvalid;
  char* memory = new char[size];
  std::memset(memory, 0xA5, size);
  *out = reinterpret_cast<unsigned long long>(memory);
  return buffers[*out] = size, kOk;
}
int cuMemFree_v2(unsigned long long at) {
  if (!buffers.erase(at)) return kInvalid;
  delete[] reinterpret_cast<char*>(at);
  return Gate("cuMemFree_v2");
}
int cuMemsetD8_v2(unsigned long long at, unsigned char value, std::size_t size) {
  if (!Inside(at, size)) return kInvalid;
  std::memset(reinterpret_cast<void*>(at), value, size);
  return Gate("cuMemsetD8_v2");
}
int cuMemcpyHtoD_v2(unsigned long long to, const void* from, std::size_t size) {
  if (!Inside(to, size)) return kInvalid;
  std::memcpy(reinterpret_cast<void*>(to), from, size);
  return Gate("cuMemcpyHtoD_v2");
}
int cuMemcpyDtoH_v2(void* to, unsigned long long from, std::size_t size) {
  if (!Inside(from, size)) return kInvalid;
  std::memcpy(to, reinterpret_cast<void*>(from), size);
  return Gate("cuMemcpyDtoH_v2");
}
int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void* stream, void** parameters, void** extra) {
  if (const int code = Gate("cuLaunchKernel")) return code;
  if (gx == 0 || bx == 0 || bx > 1024 || gy * gz * by * bz != 1) return kInvalid;
  if (shared || stream || extra) return kInvalid;
  gridDim.x = gx, blockDim.x = bx;
  for (blockIdx.x = 0; blockIdx.x < gx; ++blockIdx.x)
    for (threadIdx.x = 0; threadIdx.x < bx; ++threadIdx.x)
      RunThread(*static_cast<std::string*>(function), parameters);
  return kOk;
}
}
