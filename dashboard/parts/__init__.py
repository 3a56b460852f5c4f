"""What several pages show alike: heads, small HTML, curves, the film of a training, and names of runs."""
