"""Runs upstream's own script of that name, which gets this directory's process_pipepline."""

import os
import runpy

import process_pipepline  # before upstream's directory precedes this one

HERE = os.path.dirname(process_pipepline.__file__)
runpy.run_path(os.path.join(HERE, "preprocess_data.py"), run_name="__main__")
