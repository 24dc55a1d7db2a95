"""NumPy below the models: closed forms, least squares, fold-in, neighbours, cosines, standardising."""
