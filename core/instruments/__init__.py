"""From a model and images to a number. The instruments know nothing of runs."""
