"""Base classes of models: gradient, factorised (least squares), linear (item-item weights)."""
