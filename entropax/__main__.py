"""`python -m entropax` and the `entropax` command."""

from entropax.cli import main

if __name__ == "__main__":
    main()
