"""What a training step is made of: kinds of batches, and how they are drawn from the training interactions."""
