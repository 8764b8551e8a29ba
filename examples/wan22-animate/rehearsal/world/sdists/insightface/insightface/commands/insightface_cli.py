from insightface import __version__


def main() -> None:
    print(__version__)
