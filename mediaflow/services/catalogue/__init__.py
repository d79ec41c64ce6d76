"""What can be chosen from: plugins with what they offer, and profiles."""
