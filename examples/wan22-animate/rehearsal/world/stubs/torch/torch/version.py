debug = False
cuda = "@CUDA@"
__version__ = "@VERSION@+cu" + cuda.replace(".", "")
git_version = "0" * 40
hip = None
