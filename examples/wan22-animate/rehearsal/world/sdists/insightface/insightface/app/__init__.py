from .face_analysis import FaceAnalysis
from .mask_renderer import MaskRenderer
