"""Encoders of features: they take the row of a loaded table in place of a file. PCA, autoencoder, VAE."""
