"""`python -m app` is `evenkeel`."""

from app.cli import main

main()
