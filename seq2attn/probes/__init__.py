"""Small experiments on attention that need no training: each a function that measures, and figures that print themselves."""
