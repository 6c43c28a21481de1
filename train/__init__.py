"""What a network is worth: models, data and training."""
