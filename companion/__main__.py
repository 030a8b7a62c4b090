"""The entry point of ``lbae`` and ``python -m companion``."""

import sys


def main() -> None:
    """Run the command line, or say in one line what to install for it."""
    try:
        from companion.cli import main as run
    except ModuleNotFoundError as error:
        install = 'pip install "lbae-companion[companion]"'
        sys.exit(f"lbae: {error.name} is needed for the command line: {install}")
    run()


if __name__ == "__main__":
    main()
