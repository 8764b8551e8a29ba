import numpy as np
cimport numpy as np

np.import_array()

cdef extern from "mesh_core.h":
    void mesh_normals(float *normals, const float *vertices, const int *triangles, int count)


def normals(np.ndarray[float, ndim=2, mode="c"] result not None,
            np.ndarray[float, ndim=2, mode="c"] vertices not None,
            np.ndarray[int, ndim=2, mode="c"] triangles not None):
    mesh_normals(<float*> np.PyArray_DATA(result), <float*> np.PyArray_DATA(vertices),
                 <int*> np.PyArray_DATA(triangles), triangles.shape[0])
