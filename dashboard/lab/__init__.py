"""The Lab in parts: the attack, the ways to a trigger, the training and its settings."""
