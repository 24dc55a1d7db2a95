"""What a model subclasses: gradient (learned step by step), factorised (least squares), linear (item-item weights)."""
