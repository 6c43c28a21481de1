"""What may be chosen: networks, spaces of them, and their product with accelerators."""
