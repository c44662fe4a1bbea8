"""What rewards of a learner's own are made of: running moments, models of the environment, and a coefficient's law."""
