from setuptools import setup

setup(
    name="antlr4-python3-runtime",
    version="@VERSION@",
    packages=["antlr4"],
    package_dir={"": "src"},
    install_requires=[@REQUIRES@],
)
