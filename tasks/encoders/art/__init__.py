"""Autoencoder and VAE of pictures of 128 x 128 pixels, such as album art: seven convolutions of stride 2, and back."""
