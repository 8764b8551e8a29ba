#pragma once

// Writes the normals of triangles, three floats each, whose corners are given by
// their places among the vertices.
void mesh_normals(float *normals, const float *vertices, const int *triangles, int count);
