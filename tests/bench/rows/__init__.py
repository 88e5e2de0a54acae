"""The rows of `./dev bench`'s table. Each measures ours beside what it is held against, in one run."""
