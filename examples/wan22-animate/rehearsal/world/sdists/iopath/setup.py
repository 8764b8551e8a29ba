from setuptools import find_packages, setup

setup(
    name="iopath",
    version="@VERSION@",
    packages=find_packages(exclude=("examples", "tests")),
    install_requires=[@REQUIRES@],
    extras_require={"aws": ["boto3"]},
    python_requires=">=3.6",
)
