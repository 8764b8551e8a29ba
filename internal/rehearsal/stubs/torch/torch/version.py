__version__ = "@VERSION@"
debug = False
cuda = "@CUDA@"
git_version = "0" * 40
hip = None
