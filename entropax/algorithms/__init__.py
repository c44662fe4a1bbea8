"""One file is one algorithm, readable from top to bottom like its paper."""
