"""The Lab in parts: the attack, the sources of a trigger, the training and its settings."""
