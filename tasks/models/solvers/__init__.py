"""NumPy solvers of the models: closed forms, least squares, fold-in, neighbours, cosines, standardisation."""
