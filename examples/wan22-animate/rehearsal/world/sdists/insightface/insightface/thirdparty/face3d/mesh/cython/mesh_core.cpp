#include "mesh_core.h"

#include <array>

namespace {

using Point = std::array<float, 3>;

Point edge(const float *vertices, int from, int to) {
	Point e;
	for (int i = 0; i < 3; i++) e[i] = vertices[3 * to + i] - vertices[3 * from + i];
	return e;
}

} // namespace

void mesh_normals(float *normals, const float *vertices, const int *triangles, int count) {
	for (int n = 0; n < count; n++, normals += 3, triangles += 3) {
		const Point a = edge(vertices, triangles[0], triangles[1]);
		const Point b = edge(vertices, triangles[0], triangles[2]);
		for (int i = 0; i < 3; i++)
			normals[i] = a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3];
	}
}
