"""Results that the README shows, and what draws them."""
