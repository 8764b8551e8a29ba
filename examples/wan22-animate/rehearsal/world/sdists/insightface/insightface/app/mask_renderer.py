"""Is imported by whoever imports the package, and with it the compiled extension."""

import albumentations
import numpy as np

from ..thirdparty import face3d


class MaskRenderer:
    def normals(self, vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
        return face3d.mesh.normals(vertices, triangles)
