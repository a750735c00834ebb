"""Ground truth from intervals, figures, and scoring a whole data set."""
