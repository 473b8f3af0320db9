"""What is removed from a network before it is converted: weights, filters or whole layers."""
